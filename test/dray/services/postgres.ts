import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgresServer } from 'dray-infra/internal/local/postgres.ts'
import { Client, escapeIdentifier } from 'pg'

export interface TestPostgres {
  /** `postgres://` URL of the maintenance database. */
  readonly url: string
  /** Makes an empty database; returns its URL. */
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

/**
 * A PostgreSQL server for tests; with TEST_POSTGRES_URL databases of that server, which `stop` drops again, unless the
 * test changes the server (`isOwn`).
 */
export async function startPostgres({ isOwn = false } = {}): Promise<TestPostgres> {
  const url = process.env.TEST_POSTGRES_URL
  return url && !isOwn ? borrowed(url) : own()
}

async function own(): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-test-'))
  await chmod(folder, 0o755)
  const path = join(folder, 'postgres')
  // Several files use it at once, one of them with functions that stay warm and keep their connections.
  const server = await startPostgresServer({ folder: path, durable: false, maxConnections: 500 })
  return {
    url: server.url,
    createDatabase: () => server.ensureDatabase(databaseName()),
    async stop() {
      await server.stop()
      await rm(await realpath(path), { recursive: true, force: true })
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function borrowed(url: string): TestPostgres {
  const made: string[] = []
  return {
    url,
    async createDatabase() {
      const name = databaseName()
      await statement(url, `CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE template0 ENCODING 'UTF8'`)
      made.push(name)
      const database = new URL(url)
      database.pathname = `/${name}`
      return database.href
    },
    async stop() {
      for (const name of made.splice(0)) {
        await statement(url, `DROP DATABASE IF EXISTS ${escapeIdentifier(name)} WITH (FORCE)`)
      }
    },
  }
}

function databaseName(): string {
  return `test_${randomBytes(6).toString('hex')}`
}

async function statement(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
