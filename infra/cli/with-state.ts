import type { StateStore } from '#shared/state/state-store.ts'

/** Lends the local state store to `work`, with the service behind it up for as long. */
export async function withState<T>(work: (state: StateStore) => Promise<T>): Promise<T> {
  const { drayHome } = await import('#infra/local/home.ts')
  const { startServices } = await import('#infra/local/services.ts')
  const { openState } = await import('#infra/local/state.ts')
  const services = await startServices({ home: drayHome(), databases: [] })
  try {
    return await work(await openState())
  } finally {
    await services.stop()
  }
}
