import type { Adapter, AdapterOptions } from '../adapter.ts'
import { Pool } from '../pool.ts'
import { postgresBuilder } from './builder.ts'
import { Client } from './client.ts'
import { PostgresConnection } from './connection.ts'
import { type Place, readUrl } from './connection-url.ts'
import { quote } from './names.ts'
import { translate, translateConnect } from './translate.ts'

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
      const read = readUrl(options)
      place = read.place
      const client = new Client(read.config, place)
      try {
        await client.connect()
      } catch (error) {
        client.destroy()
        throw translateConnect(error, place, connectedOnce)
      }
      connectedOnce = true
      return new PostgresConnection(client)
    },
    alive: (connection, idle) => connection.client.isAlive(idle),
    close: (connection) => connection.client.finish(),
    setIdle: (connection, idle) => connection.client.setIdle(idle),
  })

  return {
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
