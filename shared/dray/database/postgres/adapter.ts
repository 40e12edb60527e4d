import type { Adapter, AdapterOptions } from '../adapter.ts'
import { Pool } from '../pool.ts'
import { postgresBuilder } from './builder.ts'
import { capabilities } from './capabilities.ts'
import { PostgresConnection } from './connection.ts'
import { quote } from './names.ts'
import { PostgresSession } from './session.ts'
import { translate, translateConnect } from './translate.ts'
import { type Place, readUrl } from './url.ts'

const CONNECTIONS = 2

/**
 * PostgreSQL behind a URL, `postgres://user:password@host:port/database?sslmode=…`. Connects on the first query. TLS is
 * verified unless the host is this machine or `sslmode` says otherwise. Times are read and written in UTC.
 */
export function createPostgresAdapter(options: AdapterOptions): Adapter {
  let place: Place = { name: options.name, address: 'no address', variable: '' }
  let connectedOnce = false

  const pool = new Pool<PostgresConnection>({
    name: options.name,
    max: options.maxConnections ?? CONNECTIONS,
    async open() {
      const endpoint = readUrl(options)
      place = endpoint.place
      const session = new PostgresSession(endpoint)
      try {
        await session.connect()
        await session.settle()
      } catch (error) {
        session.destroy()
        throw translateConnect(error, place, connectedOnce)
      }
      connectedOnce = true
      return new PostgresConnection(session)
    },
    alive: ({ session }, idleMilliseconds) => session.isAlive(idleMilliseconds),
    close: ({ session }) => session.finish(),
    setIdle: ({ session }, idle) => session.setIdle(idle),
  })

  return {
    ...capabilities,
    dialect: 'postgres',
    builder: postgresBuilder(),
    acquire: () => pool.acquire(),
    release: (connection, broken = false) => {
      const own = connection as PostgresConnection
      return pool.release(own, broken || own.broken)
    },
    close: () => pool.close(),
    quote,
    translate: (error) => translate(error, place),
  }
}
