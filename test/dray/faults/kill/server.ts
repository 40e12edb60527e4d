import { findMysqlServer, othersSkipped } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'
import type { Engine } from './engines.ts'

export interface Server {
  /** Makes an empty database; returns its URL. */
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

/**
 * A server of the test's own: open transactions of other tests would hold the windows back. Says why there is none
 * where none can be had.
 */
export async function privateServer(engine: Engine): Promise<Server | { readonly unavailable: string }> {
  if (engine === 'mariadb') return findMysqlServer({ arguments: [] })
  if (othersSkipped !== undefined) return { unavailable: othersSkipped }
  const { TEST_POSTGRES_URL: shared } = process.env
  delete process.env.TEST_POSTGRES_URL
  try {
    return await startPostgres()
  } finally {
    if (shared !== undefined) process.env.TEST_POSTGRES_URL = shared
  }
}
