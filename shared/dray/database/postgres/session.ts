import pg from 'pg'
import type { Text } from '#dray/block/block.ts'
import { TransientError } from '#dray/errors.ts'
import type { Bound } from '../adapter.ts'
import { Client } from './client.ts'
import { settingsOfSession } from './session-settings.ts'
import { translate } from './translate.ts'
import type { Endpoint, Place } from './url.ts'
import { AS_TEXT, checkText } from './values.ts'

/** What the server answers to one statement. */
export interface Reply {
  readonly command: string
  readonly rowCount: number | null
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number; readonly dataTypeModifier: number }[]
  readonly rows: readonly (readonly Text[])[]
}

/** What `pg` has, but its types do not name. */
interface Wire {
  readonly stream: NodeJS.ReadableStream & {
    destroy(): void
    ref?(): void
    unref?(): void
    readonly destroyed: boolean
  }
  readonly ssl: unknown
  connect(portOrPath: number | string, host?: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
  end(): void
  on(event: string, listener: (...values: unknown[]) => void): void
}
interface Internals {
  readonly connection: Wire
  readonly processID: number
  readonly secretKey: number
  getStartupConf(): Record<string, string>
}

const CANCEL_MILLISECONDS = 1_000
const END_MILLISECONDS = 1_000
const PING_MILLISECONDS = 5_000
const FRESH_MILLISECONDS = 100
const TERMINATE_MILLISECONDS = 2_000
const ZONE_MILLISECONDS = 10_000
const ZONE = `SELECT current_setting('TimeZone'), extract(timezone FROM timestamptz '2026-01-15 12:00Z')::int,
  extract(timezone FROM timestamptz '2026-07-15 12:00Z')::int`
/** The number of a session behind a pooler is not the server's: nobody else's session may be hit. */
const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE pid = $1 AND datname = current_database() AND usename = current_user AND state <> 'idle'`

/**
 * One session, with every value as text, and work that can be stopped. `lost` is set as soon as the session has ended
 * by itself.
 */
export class PostgresSession extends Client {
  readonly place: Place
  lost: Error | null = null
  readonly #config: Endpoint['config']

  constructor(endpoint: Endpoint) {
    super(endpoint)
    this.#config = endpoint.config
    this.place = endpoint.place
    this.on('error', (error) => {
      this.lost ??= error
    })
    this.on('end', () => {
      this.lost ??= new Error('the connection was closed')
    })
  }

  /**
   * Called by `pg` for the start-up packet. These settings decide how values are written as text, and that no row is
   * left out; they are sent here, as JDBC does, since a later SET would be lost or shared behind a transaction pooler.
   */
  getStartupConf(): Record<string, string> {
    const settings = (Object.getPrototypeOf(PostgresSession.prototype) as Internals).getStartupConf.call(this)
    return {
      ...settings,
      DateStyle: 'ISO, YMD',
      TimeZone: 'UTC',
      extra_float_digits: '3',
      // A policy that hides rows is an error, instead of rows that are not there.
      row_security: 'off',
    }
  }

  /** To be called once, when the session is open. */
  async settle(): Promise<void> {
    await this.query(settingsOfSession((this as unknown as Internals).processID))
  }

  get #wire(): Wire {
    return (this as unknown as Internals).connection
  }

  setIdle(idle: boolean): void {
    if (idle) this.#wire.stream.unref?.()
    else this.#wire.stream.ref?.()
  }

  /** Runs the statements of the text; the last one's answer is returned. Errors are translated. */
  async run(sql: string, parameters: readonly Bound[], signal: AbortSignal | undefined): Promise<Reply> {
    for (const value of parameters) if (typeof value === 'string') checkText(value)
    const query = { text: sql, values: [...parameters], rowMode: 'array' as const, types: AS_TEXT as never }
    const answer = (await this.guarded(signal, () => this.query(query))) as unknown as Reply | Reply[]
    return Array.isArray(answer) ? (answer.at(-1) as Reply) : answer
  }

  /**
   * Does `work` of this session; when the signal fires first, stops the server's work and gives the session up. Errors
   * are translated.
   */
  async guarded<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    if (signal?.aborted) throw this.#stopped(signal)
    let killed: Promise<void> | null = null
    let settled = false
    const giveUp = async () => {
      await this.cancelQuery()
      this.destroy()
      if (!settled) await this.terminate()
    }
    const onAbort = () => {
      killed = giveUp()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const result = await work()
      settled = true
      if (killed !== null) await killed
      return result
    } catch (error) {
      settled = true
      if (killed !== null) {
        await killed
        throw this.#stopped(signal)
      }
      const lost = error instanceof pg.DatabaseError ? null : this.lost
      throw translate(lost ?? error, this.place)
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #stopped(signal: AbortSignal | undefined): TransientError {
    return new TransientError(
      `The work on database ${this.place.name} was stopped before it ended (deadline or interruption); nothing of the open transaction is kept`,
      { cause: signal?.reason },
    )
  }

  /** False when the session has ended; asks the server when it was idle for a while. */
  async isAlive(idleMilliseconds: number): Promise<boolean> {
    if (this.lost !== null) return false
    if (idleMilliseconds < FRESH_MILLISECONDS) return true
    const timer = setTimeout(() => this.destroy(), PING_MILLISECONDS)
    try {
      await this.query('SELECT 1')
      return this.lost === null
    } catch {
      return false
    } finally {
      clearTimeout(timer)
    }
  }

  /** Closes the socket without a word; everything under way fails. */
  destroy(): void {
    this.lost ??= new Error('the connection was given up')
    this.#wire.stream.destroy()
  }

  /** Ends the session, within a second at most. */
  async finish(): Promise<void> {
    if (this.#wire.stream.destroyed) return
    const timer = setTimeout(() => this.destroy(), END_MILLISECONDS)
    await this.end().catch(() => {})
    clearTimeout(timer)
  }

  /**
   * Ends the server's side of this session through another one, within two seconds at most. A server that waits for
   * rows of COPY heeds no cancellation, and where the line is dead it would keep the transaction's locks until TCP
   * gives the line up.
   */
  async terminate(): Promise<void> {
    const { processID } = this as unknown as Internals
    const other = this.#other(TERMINATE_MILLISECONDS)
    other.on('error', () => {})
    const timer = setTimeout(() => (other as unknown as Internals).connection.stream.destroy(), TERMINATE_MILLISECONDS)
    try {
      await other.connect()
      await other.query(TERMINATE, [processID])
    } catch {
      // The session has ended, or the server cannot be reached at all.
    } finally {
      await other.end().catch(() => {})
      clearTimeout(timer)
    }
  }

  /** A client of the same server and user, which gives up connecting after a while. */
  #other(connectionTimeoutMillis: number): Client {
    return new Client({ place: this.place, config: { ...this.#config, connectionTimeoutMillis } })
  }

  /**
   * The zone of sessions that do not ask for one, by a session of that kind; null where it is the same as UTC all year.
   */
  async serverZone(): Promise<string | null> {
    const other = this.#other(ZONE_MILLISECONDS)
    other.on('error', () => {})
    try {
      await other.connect()
      const { rows } = await other.query({ text: ZONE, rowMode: 'array', types: AS_TEXT as never })
      const [zone, inWinter, inSummer] = rows[0] as readonly string[]
      return inWinter === '0' && inSummer === '0' ? null : (zone as string)
    } catch (error) {
      throw translate(error, this.place)
    } finally {
      await other.end().catch(() => {})
    }
  }

  /**
   * Asks the server to cancel what this session is doing. Returns when the server has taken the request, or after a
   * second. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
   */
  async cancelQuery(): Promise<void> {
    const { host, port, ssl } = this.#config
    const { processID, secretKey } = this as unknown as Internals
    const wire = new pg.Connection({ ssl: ssl ?? false } as pg.ConnectionConfig) as unknown as Wire
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, CANCEL_MILLISECONDS)
      function done() {
        clearTimeout(timer)
        wire.stream.destroy()
        resolve()
      }
      const send = () => wire.cancel(processID, secretKey)
      wire.on('connect', () => (ssl ? wire.requestSsl() : send()))
      wire.on('sslconnect', send)
      wire.on('error', done)
      wire.on('end', done)
      if (host.startsWith('/')) wire.connect(`${host}/.s.PGSQL.${port}`)
      else wire.connect(port, host)
    })
  }
}
