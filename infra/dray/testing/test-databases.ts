import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Adapter, Connection, Settled } from 'dray/internal/database/adapter.ts'
import { openAdapter } from 'dray/internal/database/open-adapter.ts'
import { withSubstitutes } from 'dray/internal/database/substitutes.ts'
import { secondsBefore } from 'dray/internal/pipeline/texts/instant.ts'
import { type PostgresServer, startPostgresServer } from '#dray-infra/local/postgres.ts'

/** The engines that a test has without a server that somebody has to start. */
export type TestEngine = 'sqlite' | 'postgres'

/** The schemas that are needed of each database, by its name. */
export type WantedDatabases = ReadonlyMap<string, ReadonlySet<string>>

const folders: string[] = []

/** A folder that is gone when the process has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dray-test-run-'))
  // The server of a process that is root's runs as another user.
  chmodSync(folder, 0o711)
  if (folders.length === 0) process.once('exit', removeFolders)
  folders.push(folder)
  return folder
}

function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** Temporary databases that stand in for those that the environment binds, with a clock that the test sets. */
export class TestDatabases {
  readonly #urls: ReadonlyMap<string, string>
  readonly #wanted: WantedDatabases
  readonly #folder: string
  readonly #engine: TestEngine
  now: string

  static async make(engine: TestEngine, wanted: WantedDatabases, folder: string, now: string): Promise<TestDatabases> {
    const urlOf = engine === 'postgres' ? newPostgresDatabase : async (name: string) => fileUrl(folder, name)
    const urls = await Promise.all([...wanted.keys()].map(async (name) => [name, await urlOf(name)] as const))
    return new TestDatabases(engine, { urls: new Map(urls), wanted, folder, now })
  }

  private constructor(
    engine: TestEngine,
    {
      urls,
      wanted,
      folder,
      now,
    }: { urls: ReadonlyMap<string, string>; wanted: WantedDatabases; folder: string; now: string },
  ) {
    this.#engine = engine
    this.#urls = urls
    this.#wanted = wanted
    this.#folder = folder
    this.now = now
  }

  /** Does the work on them: what the process does beside it reaches the databases that the environment binds. */
  async within<T>(work: () => Promise<T>): Promise<T> {
    const adapters = new Map<string, Adapter>()
    try {
      for (const [name, url] of this.#urls) adapters.set(name, this.#clocked(await openAdapter({ name, url }), name))
      return await withSubstitutes(adapters, work)
    } finally {
      await Promise.all([...adapters.values()].map((adapter) => adapter.close()))
    }
  }

  #clocked(adapter: Adapter, name: string): Adapter {
    const prepared = new WeakSet<Connection>()
    return {
      ...adapter,
      acquire: async () => {
        const connection = await adapter.acquire()
        if (prepared.has(connection)) return connection
        prepared.add(connection)
        // What is temporary needs no disk.
        if (this.#engine === 'sqlite') await connection.query('pragma synchronous = off')
        for (const schema of this.#wanted.get(name) ?? []) await this.#makeSchema(adapter, connection, { name, schema })
        return Object.assign(connection, {
          settledUntil: async (lagSeconds: number) => settledAt(this.now, lagSeconds),
        })
      },
    }
  }

  async #makeSchema(adapter: Adapter, connection: Connection, { name, schema }: { name: string; schema: string }) {
    const quoted = adapter.quote(schema)
    if (this.#engine === 'postgres') await connection.query(`create schema if not exists ${quoted}`)
    else await connection.query(`attach database ? as ${quoted}`, [pathOf(this.#folder, `${name}.${schema}`)])
  }
}

/** Nobody else writes there, so nothing is unsettled but the lag. */
function settledAt(now: string, lagSeconds: number): Settled {
  const until = secondsBefore(now, lagSeconds)
  return { until, now: secondsBefore(now, 0), exact: true, reason: null, lagSeconds, heldBy: null }
}

const pathOf = (folder: string, name: string) => join(folder, `${encodeURIComponent(name)}.db`)
const fileUrl = (folder: string, name: string) => `sqlite:${pathOf(folder, name)}`

let server: Promise<PostgresServer> | null = null
let made = 0

/** Of one server, which is started with the first and ends with the process. */
async function newPostgresDatabase(): Promise<string> {
  server ??= startServer()
  made += 1
  return (await server).ensureDatabase(`test_${made}`)
}

async function startServer(): Promise<PostgresServer> {
  const folder = join(temporaryFolder(), 'postgres')
  const started = await startPostgresServer({ folder, durable: false })
  process.once('beforeExit', async () => {
    server = null
    await started.stop()
    rmSync(realpathSync(folder), { recursive: true, force: true })
  })
  return started
}
