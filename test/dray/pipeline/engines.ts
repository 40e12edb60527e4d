import { join } from 'node:path'
import { after, before, beforeEach, describe } from 'node:test'
import type { Database } from 'dray/internal/active-record/database.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { emptyDatabase } from '#test/services/empty-database.ts'
import { mysqlUnavailable, othersSkipped, startMysqlServer } from '#test/services/mysql-server.ts'
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

/**
 * Runs a suite on SQLite, PostgreSQL and MariaDB, or on MySQL alone; each test finds empty databases and an empty
 * state. On a server Dray's own tables may be there, empty as well, unless the suite is about how they are made.
 */
export function onEachEngine(
  name: string,
  databases: readonly Database[],
  suite: (engine: Engine) => void,
  { keepsOwn = true } = {},
): void {
  engine('sqlite', async () => null, othersSkipped)
  engine('postgres', startPostgres, othersSkipped)
  engine('mysql', startMysql, mysqlUnavailable)

  function engine(dialect: Dialect, start: () => Promise<Server | null>, skip?: string): void {
    describe(`${name} on ${dialect}`, { skip: skip ?? false }, () => {
      let harness: Harness
      let server: Server | null = null
      const urls = new Map<Database, string>()

      const emptied = async (of: Server, database: Database): Promise<string> => {
        const known = urls.get(database)
        const url = known ?? (await of.createDatabase())
        if (known === undefined) urls.set(database, url)
        else await emptyDatabase(url, { keepsOwn })
        return url
      }
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
            server === null ? `sqlite:${join(harness.folder, `${database.name}.db`)}` : await emptied(server, database)
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
 * A server of one's own where there can be one: MySQL's settled time is held back by the oldest transaction of the
 * whole server, other tests' as well.
 */
export function startMysql(): Promise<Server> {
  return startMysqlServer({ arguments: [] }).catch(() => startMysqlServer())
}
