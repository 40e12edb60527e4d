import type { Adapter, AdapterOptions } from '../adapter.ts'
import { Pool } from '../pool.ts'
import { sqliteBuilder } from './builder.ts'
import { capabilities } from './capabilities.ts'
import { SqliteConnection } from './connection.ts'
import { quote } from './names.ts'
import { SqliteSession } from './session.ts'
import { translate } from './translate.ts'
import { type Place, readUrl } from './url.ts'

const CONNECTIONS = 2

/**
 * SQLite behind a URL: `sqlite:relative/or/absolute/path.db`, `sqlite::memory:` (one connection, gone with `close`).
 * Opens on the first query and puts the file into write-ahead mode. Each connection of the pool is a separate handle.
 *
 * SQLite stores what the column's declared type makes of a value. Decimals keep their text in TEXT columns only: a
 * NUMERIC or REAL column holds doubles, reads `10.00` back as `10`, and a merge refuses what a double cannot hold. −0
 * becomes 0.
 */
export function createSqliteAdapter(options: AdapterOptions): Adapter {
  let place: Place = { name: options.name, path: 'no path', variable: '', readOnly: false }

  const pool = new Pool<SqliteConnection>({
    name: options.name,
    max: /:memory:/.test(options.url) ? 1 : (options.maxConnections ?? CONNECTIONS),
    async open() {
      place = readUrl(options)
      let session: SqliteSession | null = null
      try {
        session = new SqliteSession(place)
        await session.useWriteAheadLog()
        return new SqliteConnection(session)
      } catch (error) {
        session?.close()
        throw translate(error, place)
      }
    },
    alive: async (connection) => connection.session.database.isOpen,
    close: async (connection) => connection.session.close(),
  })

  return {
    ...capabilities,
    dialect: 'sqlite',
    builder: sqliteBuilder(),
    acquire: () => pool.acquire(),
    async release(connection, broken = false) {
      const own = connection as SqliteConnection
      // The data in memory are gone with the handle, so that one is put in order instead.
      const kept = place.path === ':memory:' && own.session.database.isOpen
      if (kept && own.session.database.isTransaction) own.session.database.exec('ROLLBACK')
      await pool.release(own, !kept && (broken || own.broken))
    },
    close: () => pool.close(),
    quote,
    translate: (error) => translate(error, place),
  }
}
