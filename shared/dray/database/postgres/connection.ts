import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { linesOf } from '#dray/block/copy-text.ts'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type {
  Bound,
  Connection,
  CopyOptions,
  DescribedTables,
  HeldKeys,
  HeldRows,
  HeldTable,
  LiveColumn,
  LiveTable,
  MergeResult,
  MergeTarget,
  QueryOptions,
  QueryResult,
  Settled,
  SettledOptions,
  TransactionMode,
} from '../adapter.ts'
import { firstOf } from '../deadline.ts'
import { queryRefused } from '../query-columns.ts'
import { RowTooLarge } from '../row-too-large.ts'
import { bindLiterals } from './bind-literals.ts'
import { copyIn } from './copy-in.ts'
import { CopyOut } from './copy-out.ts'
import { describeQuery, describeTable } from './describe.ts'
import { type Horizon, readHorizon, settledFor } from './horizon.ts'
import { holdKeys, holdSelected } from './merge/hold-keys.ts'
import { holdRows } from './merge/hold-rows.ts'
import { mergeRows } from './merge/merge.ts'
import { mergeSelected } from './merge/merge-selected.ts'
import type { MergeSession } from './merge/session.ts'
import { quote } from './names.ts'
import type { PostgresSession, Reply } from './session.ts'
import { SETTINGS_OF_TRANSACTION } from './session-settings.ts'
import { afterFault, codeOf, translate } from './translate.ts'

const WRITES = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])
const PAGE_ROWS = 1_000
/** SQLSTATE of a statement in a transaction in which one has failed. */
const ABORTED = '25P02'
/**
 * Under a deadline; longer than a load that is still at work would keep the fence, in most cases. A limit of the
 * server's own holds.
 */
const LOCK_WAIT = "SELECT set_config('lock_timeout', '5min', true) WHERE current_setting('lock_timeout') = '0'"
/** The server takes no longer for it; the line may. */
const ROLLBACK_MILLISECONDS = 2_000
const MODES = {
  write: `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ${SETTINGS_OF_TRANSACTION}`,
  read: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${SETTINGS_OF_TRANSACTION}`,
  snapshot: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${SETTINGS_OF_TRANSACTION}; SELECT 1`,
}

/** The server holds a row that it writes, and each value of it, in one piece of memory of 1 GB at most. */
function isBeyondServer(error: unknown): boolean {
  const { message } = (error as { readonly cause?: Error }).cause ?? {}
  return /^(invalid memory alloc request size|out of memory|string buffer exceeds maximum)/.test(message ?? '')
}

function copyStatement(sql: string, parameters: readonly Bound[]): string {
  return `COPY (${bindLiterals(sql.replace(/[\s;]+$/, ''), parameters)}\n) TO STDOUT`
}

/** One session. Every error is translated; after an abort or a lost connection `broken` is true. */
export class PostgresConnection implements Connection {
  readonly session: PostgresSession
  #names = 0
  #horizon: Horizon | null = null
  #streaming = false
  #deadline: AbortSignal | undefined
  #described: DescribedTables | undefined
  /** Since the transaction began, or went back to a savepoint: it may have aborted it. */
  #firstFault: Error | null = null

  constructor(session: PostgresSession) {
    this.session = session
  }

  /** The session cannot be used again: it has ended, or a transaction was left open. */
  get broken(): boolean {
    return this.session.lost !== null || this.session.getTransactionStatus() !== 'I'
  }

  stopAt(deadline: AbortSignal | undefined): void {
    this.#deadline = deadline
  }

  describeBy(known: DescribedTables | undefined): void {
    this.#described = known
  }

  async query(sql: string, parameters: readonly Bound[] = [], options: QueryOptions = {}): Promise<QueryResult> {
    this.#refuseWhileStreaming()
    const { command, rowCount, fields, rows } = await this.#run(sql, parameters, options.signal)
    return { columns: fields.map((field) => field.name), rows, affected: WRITES.has(command) ? (rowCount ?? 0) : 0 }
  }

  #refuseWhileStreaming(): void {
    if (!this.#streaming) return
    throw new TerminalError(
      `A stream is open on this connection to ${this.session.place.name}, outside a transaction, so the query cannot run; use a second connection or a transaction`,
    )
  }

  /**
   * By a cursor, so that other statements may run in between when a transaction is open. Outside a transaction it opens
   * its own, read-only one.
   */
  async *stream(
    sql: string,
    parameters: readonly Bound[] = [],
    { signal, pageRows = PAGE_ROWS }: QueryOptions & { readonly pageRows?: number } = {},
  ): AsyncGenerator<readonly (readonly Text[])[]> {
    const own = this.session.getTransactionStatus() === 'I'
    const cursor = this.#name('cursor')
    if (own) await this.#run(MODES.snapshot, [], signal)
    let open = false
    try {
      await this.#run(`DECLARE ${cursor} NO SCROLL CURSOR FOR ${sql}`, parameters, signal)
      open = true
      this.#streaming = own
      for (;;) {
        const { rows } = await this.#run(`FETCH ${Math.max(1, Math.floor(pageRows))} FROM ${cursor}`, [], signal)
        if (rows.length > 0) yield rows
        if (rows.length < pageRows) break
      }
    } finally {
      if (own) {
        this.#streaming = false
        if (this.session.lost === null) await this.rollback()
      } else if (open && this.session.getTransactionStatus() === 'T') await this.#run(`CLOSE ${cursor}`, [], undefined)
    }
  }

  async eachLine(
    sql: string,
    parameters: readonly Bound[],
    take: (line: string) => void,
    { signal }: QueryOptions = {},
  ): Promise<void> {
    this.#refuseWhileStreaming()
    const copy = copyStatement(sql, parameters)
    const own = this.session.getTransactionStatus() === 'I'
    // The text forms of bytes and intervals hold within a transaction only. Sent as one message, it is one round trip.
    const reading = new CopyOut(own ? `BEGIN; ${SETTINGS_OF_TRANSACTION}; ${copy}; COMMIT` : copy)
    try {
      await this.session.guarded(firstOf(signal, this.#deadline), async () => {
        this.session.query(reading)
        for (let block = await reading.next(); block !== null; block = await reading.next()) {
          for (const line of linesOf(block)) take(line)
        }
      })
    } catch (error) {
      if (own && this.session.lost === null) await this.rollback()
      throw error
    }
  }

  async *copyOut(
    sql: string,
    parameters: readonly Bound[] = [],
    { signal, mostBytes }: CopyOptions = {},
  ): AsyncGenerator<CopyBlock> {
    const text = copyStatement(sql, parameters)
    // The text forms of bytes and intervals hold within a transaction only.
    const own = this.session.getTransactionStatus() === 'I'
    if (own) await this.#run(MODES.snapshot, [], signal)
    // Giving up a COPY midway is a cancellation, which must not cost the caller's transaction.
    const savepoint = !own && this.session.getTransactionStatus() === 'T' ? this.#name('copy') : null
    if (savepoint !== null) await this.#run(`SAVEPOINT ${savepoint}`, [], signal)
    const limit = firstOf(signal, this.#deadline)
    const most = mostBytes === undefined ? undefined : { bytes: mostBytes, database: this.session.place.name }
    const copy = this.session.query(new CopyOut(text, most))
    try {
      for (;;) {
        const block = await this.session.guarded(limit, () => copy.next())
        if (block === null) break
        yield block
      }
    } catch (error) {
      throw most !== undefined && isBeyondServer(error)
        ? new RowTooLarge(most.database, most.bytes, { cause: error })
        : error
    } finally {
      const whole = copy.ended
      if (!whole) await Promise.all([this.session.cancelQuery(), copy.drain()])
      if (own && this.session.lost === null) await this.rollback()
      if (savepoint !== null && this.session.lost === null) {
        if (!whole || this.session.getTransactionStatus() === 'E')
          await this.#run(`ROLLBACK TO ${savepoint}`, [], undefined)
        await this.#run(`RELEASE ${savepoint}`, [], undefined)
      }
    }
  }

  merge(target: MergeTarget, open: OpenBlocks, { signal }: QueryOptions = {}): Promise<MergeResult> {
    return mergeRows(this.#mergeSession(signal), target, open)
  }

  mergeSelected(target: MergeTarget, from: string, { signal }: QueryOptions = {}) {
    return mergeSelected(this.#mergeSession(signal), target, from)
  }

  holdKeys(
    table: Pick<MergeTarget, 'table' | 'key'>,
    open: OpenBlocks,
    { signal }: QueryOptions = {},
  ): Promise<HeldKeys> {
    return holdKeys(this.#mergeSession(signal), table, open)
  }

  holdSelected(table: Pick<MergeTarget, 'table' | 'key'>, from: string, { signal }: QueryOptions = {}) {
    return holdSelected(this.#mergeSession(signal), table, from)
  }

  holdRows(table: HeldTable, open: OpenBlocks, { signal }: QueryOptions = {}): Promise<HeldRows> {
    return holdRows(this.#mergeSession(signal), table, open)
  }

  #mergeSession(signal: AbortSignal | undefined): MergeSession {
    return {
      run: (sql, parameters = []) => this.#run(sql, parameters, signal),
      copyIn: (sql, chunks) => this.#copyIn(sql, chunks, signal),
      name: (purpose) => this.#name(purpose),
      inTransaction: () => this.session.getTransactionStatus() === 'T',
      place: this.session.place,
    }
  }

  /** What the caller throws instead of the next chunk comes through as it is. */
  async #copyIn(
    sql: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const thrown: unknown[] = []
    const noting = async function* () {
      try {
        yield* chunks
      } catch (error) {
        thrown.push(error)
        throw error
      }
    }
    const limit = firstOf(signal, this.#deadline)
    return this.session
      .guarded(limit, () => copyIn(this.session, sql, noting()))
      .catch((error: unknown) => {
        throw thrown.length > 0 && !limit?.aborted ? thrown[0] : error
      })
  }

  async begin(mode: TransactionMode): Promise<void> {
    this.#firstFault = null
    this.#horizon = mode === 'snapshot' ? await this.#readHorizon() : null
    const isLimited = this.#deadline !== undefined && mode === 'write'
    await this.#run(isLimited ? `${MODES[mode]}; ${LOCK_WAIT}` : MODES[mode], [], undefined)
  }

  async commit(): Promise<void> {
    this.#horizon = null
    const isSent = !this.#deadline?.aborted
    const { command } = await this.#run('COMMIT', [], undefined).catch((error: unknown) => {
      if (!isSent || !this.#deadline?.aborted) throw error
      throw new TransientError(
        `COMMIT on database ${this.session.place.name} was not answered before the deadline, so it is not known whether the transaction was kept; look before it is done again`,
        { cause: error },
      )
    })
    if (command !== 'COMMIT') {
      throw new TransientError(
        `Database ${this.session.place.name} answered COMMIT with ${command}: a statement of the transaction had failed, so nothing of it was kept`,
      )
    }
  }

  async rollback(): Promise<void> {
    this.#described?.forgetAfter('ROLLBACK')
    this.#horizon = null
    if (this.session.lost !== null) throw translate(this.session.lost, this.session.place)
    const limit = this.#deadline === undefined ? undefined : AbortSignal.timeout(ROLLBACK_MILLISECONDS)
    await this.session.run('ROLLBACK', [], limit)
  }

  async savepoint(name: string): Promise<void> {
    await this.#run(`SAVEPOINT ${quote(name)}`, [], undefined)
  }

  async releaseSavepoint(name: string): Promise<void> {
    await this.#run(`RELEASE SAVEPOINT ${quote(name)}`, [], undefined)
  }

  async rollbackTo(name: string): Promise<void> {
    await this.#run(`ROLLBACK TO SAVEPOINT ${quote(name)}`, [], undefined)
    this.#firstFault = null
  }

  describe(table: string): Promise<LiveTable | null> {
    const ask = () =>
      describeTable(async (sql, parameters) => (await this.#run(sql, parameters, undefined)).rows, table)
    return this.#described?.of(table, ask) ?? ask()
  }

  /** In a transaction that writes nothing: a function of the query may be called where it is planned. */
  async describeQuery(sql: string, parameters: readonly Bound[] = []): Promise<readonly LiveColumn[]> {
    const own = this.session.getTransactionStatus() === 'I'
    if (own) await this.#run(MODES.snapshot, [], undefined)
    try {
      return await describeQuery((text, values) => this.#run(text, values, undefined), sql, parameters)
    } catch (error) {
      throw queryRefused(error as Error)
    } finally {
      if (own && this.session.lost === null) await this.rollback()
    }
  }

  async settledUntil(lagSeconds: number, options: SettledOptions = {}): Promise<Settled> {
    return settledFor(this.#rows, this.#horizon ?? (await this.#readHorizon()), lagSeconds, options)
  }

  serverZone(): Promise<string | null> {
    return this.session.serverZone()
  }

  #readHorizon(): Promise<Horizon> {
    return readHorizon(this.#rows)
  }

  readonly #rows = async (sql: string, parameters: readonly string[] = []) =>
    (await this.#run(sql, parameters, undefined)).rows

  #name(purpose: string): string {
    this.#names += 1
    return quote(`dray_${purpose}_${this.#names}`)
  }

  async #run(sql: string, parameters: readonly Bound[], signal: AbortSignal | undefined): Promise<Reply> {
    const described = this.#described
    described?.forgetAfter(sql)
    try {
      return await this.session.run(sql, parameters, firstOf(signal, this.#deadline))
    } catch (error) {
      const isAborted = codeOf((error as Error).cause) === ABORTED
      if (isAborted && this.#firstFault !== null) throw afterFault(this.#firstFault)
      if (!isAborted) this.#firstFault ??= error as Error
      throw error
    } finally {
      described?.forgetAfter(sql)
    }
  }
}
