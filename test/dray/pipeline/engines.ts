import { join } from 'node:path'
import { after, before, beforeEach, describe } from 'node:test'
import type { Database } from 'dray/internal/active-record/database.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { startMariaDB } from '#test/services/mariadb.ts'
import { startPostgres } from '#test/services/postgres.ts'
import { type Harness, openHarness } from './harness.ts'

interface Server {
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

/** One engine, with databases of its own for each test. */
export interface Engine {
  readonly dialect: Dialect
  /** Of the test that runs. */
  readonly harness: Harness
}

/** Runs a suite on SQLite, PostgreSQL and MariaDB; each test finds empty databases and an empty state. */
export function onEachEngine(name: string, databases: readonly Database[], suite: (engine: Engine) => void): void {
  engine('sqlite', async () => null)
  engine('postgres', startPostgres)
  engine('mysql', startMysql, process.env.TEST_MYSQL_UNAVAILABLE)

  function engine(dialect: Dialect, start: () => Promise<Server | null>, skip?: string): void {
    describe(`${name} on ${dialect}`, { skip: skip ?? false }, () => {
      let harness: Harness
      let server: Server | null = null

      const closeAll = () => Promise.all(databases.map((database) => database.close()))
      before(async () => {
        server = await start()
      })
      after(async () => {
        await closeAll()
        await server?.stop()
        await harness?.close()
      })
      beforeEach(async () => {
        await closeAll()
        await harness?.close()
        harness = await openHarness()
        for (const database of databases) {
          process.env[urlVariable(database.name)] =
            server === null ? `sqlite:${join(harness.folder, `${database.name}.db`)}` : await server.createDatabase()
        }
      })
      suite({
        dialect,
        get harness() {
          return harness
        },
      })
    })
  }
}

/**
 * A server of one's own where there can be one: MariaDB's settled time is held back by the oldest transaction of the
 * whole server, other tests' as well.
 */
export async function startMysql(): Promise<Server> {
  const own = await startMariaDB({ arguments: [] })
  const server = 'unavailable' in own ? await startMariaDB() : own
  if ('unavailable' in server) throw new Error(server.unavailable)
  return server
}
