import { AsyncLocalStorage } from 'node:async_hooks'
import type { Adapter } from './adapter.ts'

const substitutes = new AsyncLocalStorage<ReadonlyMap<string, Adapter>>()

/**
 * Runs `work` with other engines behind the names of databases than the environment binds; what else the process does
 * meanwhile keeps the environment's. Whoever has opened the adapters closes them.
 */
export function withSubstitutes<T>(adapters: ReadonlyMap<string, Adapter>, work: () => Promise<T>): Promise<T> {
  return substitutes.run(adapters, work)
}

export function substituteFor(name: string): Adapter | undefined {
  return substitutes.getStore()?.get(name)
}
