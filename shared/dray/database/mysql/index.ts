import { DummyDriver, Kysely, MysqlAdapter as KyselyMysqlAdapter, MysqlIntrospector, MysqlQueryCompiler } from 'kysely'
import { ConfigurationError, TransientError } from '#dray/errors.ts'
import type { Adapter, AdapterOptions, Connection } from '../adapter.ts'
import { checkIdentifier } from '../identifier.ts'
import { Pool } from '../pool.ts'
import { openDriver, type Place, placeOf } from './connect.ts'
import { MysqlConnection } from './connection.ts'
import { isUnreachable, translate } from './errors.ts'
import { quote } from './names.ts'
import { SESSION_QUERY, Session } from './session.ts'
import { Wire } from './wire.ts'

const DEFAULT_CONNECTIONS = 2
/** A connection that was idle longer is asked whether it lives: a frozen Lambda does not see a server go away. */
const TRUST_MS = 1_000
const PING_MS = 2_000
const KILL_MS = 3_000
const FIRST_ANSWER_MS = 10_000

/** MySQL (8.0.17) and MariaDB (10.2) behind one URL; connects when the first connection is asked for. */
export function createMysqlAdapter(options: AdapterOptions): Adapter {
  return new MysqlAdapter(options)
}

class Compiler extends MysqlQueryCompiler {
  protected override sanitizeIdentifier(identifier: string): string {
    return super.sanitizeIdentifier(checkIdentifier('mysql', identifier))
  }
}

class MysqlAdapter implements Adapter {
  readonly dialect = 'mysql'
  // biome-ignore lint/suspicious/noExplicitAny: the tables are known by the models, not by Kysely.
  readonly builder: Kysely<any> = new Kysely({
    dialect: {
      createAdapter: () => new KyselyMysqlAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (database) => new MysqlIntrospector(database),
      createQueryCompiler: () => new Compiler(),
    },
  })
  readonly #options: AdapterOptions
  readonly #place: Place
  readonly #pool: Pool<MysqlConnection>
  readonly #kills = new Set<Promise<void>>()
  /** The URL has led to a server: when it does not any more, the server is down for a while. */
  #wasConnected = false

  constructor(options: AdapterOptions) {
    this.#options = options
    this.#place = placeOf(options)
    this.#pool = new Pool({
      name: options.name,
      max: options.maxConnections ?? DEFAULT_CONNECTIONS,
      open: () => this.#open(),
      alive: ({ wire }, idleMs) => (idleMs < TRUST_MS ? Promise.resolve(wire.isOpen) : wire.ping(PING_MS)),
      close: ({ wire }) => wire.close(),
      setIdle: ({ wire }, idle) => wire.idle(idle),
    })
  }

  quote(identifier: string): string {
    return quote(identifier)
  }

  translate(error: unknown): Error {
    return translate(error, this.#options.name, this.#place.where)
  }

  async acquire(): Promise<Connection> {
    try {
      return await this.#pool.acquire()
    } catch (error) {
      throw this.#connectError(error)
    }
  }

  async #open(): Promise<MysqlConnection> {
    const driver = await openDriver(this.#place, this.#options)
    const wire = new Wire(driver, this.#options.name, (id, what) => this.#kill(id, what))
    try {
      const { rows } = await wire.run(SESSION_QUERY, { signal: AbortSignal.timeout(FIRST_ANSWER_MS) })
      const session = new Session(new Map(rows as unknown as [string, string][]), this.#options.name)
      this.#wasConnected = true
      return new MysqlConnection(wire, session, (error) => this.translate(error))
    } catch (error) {
      await wire.close()
      throw error
    }
  }

  #connectError(error: unknown): Error {
    const translated = this.translate(error)
    const code = (error as { code?: string })?.code ?? ''
    if (this.#wasConnected && (isUnreachable(code) || code === 'ETIMEDOUT')) {
      const { name } = this.#options
      return new TransientError(`${name}: ${this.#place.where} cannot be reached any more (${code}). Try again.`, {
        cause: error,
      })
    }
    if (code === 'ETIMEDOUT') {
      const { name } = this.#options
      return new ConfigurationError(
        `${name}: ${this.#place.where} did not answer in time. Correct host and port in the URL, or open the way to it.`,
        { cause: error },
      )
    }
    return translated
  }

  /** Stops what a connection does, through another one, as the socket alone would not. */
  #kill(threadId: number, what: 'QUERY' | 'CONNECTION'): Promise<void> {
    const work = this.#sendKill(threadId, what).catch(() => {})
    this.#kills.add(work)
    return work.finally(() => this.#kills.delete(work))
  }

  async #sendKill(threadId: number, what: 'QUERY' | 'CONNECTION'): Promise<void> {
    const signal = AbortSignal.timeout(KILL_MS)
    const driver = await openDriver(this.#place, this.#options, signal)
    const wire = new Wire(driver, this.#options.name, async () => {})
    await wire.run(`KILL ${what} ${threadId}`, { signal }).finally(() => wire.close())
  }

  async release(connection: Connection, broken = false): Promise<void> {
    const released = connection as MysqlConnection
    let isBroken = broken || !released.wire.isOpen
    if (!isBroken && released.inTransaction) {
      isBroken = await released.rollback().then(
        () => false,
        () => true,
      )
    }
    await this.#pool.release(released, isBroken)
  }

  async close(): Promise<void> {
    await this.#pool.close()
    await Promise.all(this.#kills)
  }
}
