import { stagingStoreContract } from '#test/contracts/staging-store.ts'
import { stateStoreContract } from '#test/contracts/state-store.ts'
import { MemoryStagingStore } from './memory-staging-store.ts'
import { MemoryStateTable, memoryStateStore } from './memory-state-store.ts'

const state = memoryStateStore(new MemoryStateTable())
stateStoreContract('the simulated state store', () => state)

stagingStoreContract('the simulated staging store', () => {
  const store = new MemoryStagingStore()
  return {
    store,
    bytesOf: async (key) => store.objects.get(key) ?? Buffer.alloc(0),
    replace: async (key, bytes) => {
      store.objects.set(key, bytes)
    },
    drop: async (key) => {
      store.objects.delete(key)
    },
    leftovers: async () => [...store.objects.keys()].sort(),
  }
})
