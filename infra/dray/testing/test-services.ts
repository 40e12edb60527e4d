import { join } from 'node:path'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { openStateIn } from '#dray-infra/local/state.ts'

export interface TestServices extends Services {
  /** Lets go of the state; what is staged stays. */
  close(): void
}

/** What the stages need, real: a state and a staging in a folder. */
export async function openServices(folder: string): Promise<TestServices> {
  const state = await openStateIn(folder)
  return {
    state,
    staging: new FolderStagingStore(join(folder, 'staging')),
    signal: new AbortController().signal,
    now: Date.now,
    log: { info: () => {}, warn: () => {} },
    progress: () => {},
    runner: 'test',
    close: () => state.close(),
  }
}
