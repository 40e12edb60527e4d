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
import { bindLiterals } from './bind-literals.ts'
import { CopyRows } from './copy-rows.ts'
import { describeTable } from './describe.ts'
import { describeQuery } from './describe-query.ts'
import { beginSnapshot, type Horizon, readHorizon, settled } from './horizon.ts'
import { holdKeys, holdSelected } from './merge/hold-keys.ts'
import { holdRows } from './merge/hold-rows.ts'
import { mergeRows } from './merge/merge.ts'
import { mergeSelected } from './merge/merge-selected.ts'
import type { MergeSession } from './merge/session.ts'
import { quote } from './names.ts'
import { type PacketMaker, type PageMaker, RowPages } from './reading.ts'
import type { Reply } from './reply.ts'
import type { MysqlSession, RunOptions } from './session.ts'
import { commitsFirst, type SessionFacts } from './settings.ts'
import { endsTransaction, loggedAsStatements, rolledBack, translate } from './translate.ts'

const PAGE_ROWS = 1_000
/** The line may take longer than the server, which goes on by itself. */
const ROLLBACK_MILLISECONDS = 2_000

/**
 * A connection of MySQL or MariaDB. TIMESTAMP columns are read and written in UTC, whatever the session's time zone.
 */
export class MysqlConnection implements Connection {
  readonly session: MysqlSession
  readonly #facts: SessionFacts
  #inTransaction = false
  /** Why the open transaction can no longer be committed: the server has rolled it back. */
  #gone: Error | null = null
  #horizon: Horizon | null = null
  #deadline: AbortSignal | undefined
  #described: DescribedTables | undefined

  constructor(session: MysqlSession, facts: SessionFacts) {
    this.session = session
    this.#facts = facts
  }

  get inTransaction(): boolean {
    return this.#inTransaction
  }

  stopAt(deadline: AbortSignal | undefined): void {
    this.#deadline = deadline
  }

  describeBy(known: DescribedTables | undefined): void {
    this.#described = known
  }

  async query(sql: string, parameters: readonly Bound[] = [], options: QueryOptions = {}): Promise<QueryResult> {
    if (this.#inTransaction && commitsFirst(sql)) {
      throw new TerminalError(
        'MySQL would commit the open transaction before this statement, so it was not sent. Run it before the transaction begins, or after it ends.',
      )
    }
    const { columns, rows, affected } = await this.#run(this.#bound(sql, parameters), options).catch((error) => {
      throw this.#translate(error)
    })
    return { columns, rows, affected }
  }

  #bound(sql: string, parameters: readonly Bound[]): string {
    return bindLiterals(sql, parameters, this.#facts.sqlMode.includes('NO_BACKSLASH_ESCAPES'))
  }

  /** Runs a statement whose values are in it; throws the driver's errors. */
  async #run(sql: string, options: RunOptions = {}): Promise<Reply> {
    this.#refuseAfterRollback()
    const described = this.#described
    described?.forgetAfter(sql)
    try {
      return await this.session.run(sql, this.#limited(options))
    } catch (error) {
      throw this.#noted(error)
    } finally {
      described?.forgetAfter(sql)
    }
  }

  #limited(options: RunOptions): RunOptions {
    return { ...options, signal: firstOf(options.signal, this.#deadline) }
  }

  #refuseAfterRollback(): void {
    // The server would run the next statement outside any transaction, and keep what it writes.
    if (this.#gone !== null) throw this.#gone
  }

  #noted(error: unknown): unknown {
    if (this.#inTransaction && (endsTransaction(error) || error instanceof TransientError)) {
      this.#gone ??= rolledBack(error)
    }
    return error
  }

  async *stream(
    sql: string,
    parameters: readonly Bound[] = [],
    options: QueryOptions & { readonly pageRows?: number } = {},
  ): AsyncGenerator<readonly (readonly Text[])[]> {
    yield* this.#pages(sql, parameters, options, new RowPages(options.pageRows ?? PAGE_ROWS))
  }

  async *copyOut(sql: string, parameters: readonly Bound[] = [], options: CopyOptions = {}): AsyncGenerator<CopyBlock> {
    const rows = new CopyRows()
    yield* this.#pages(sql, parameters, options, {
      packet: (bytes, from, to, binary) => rows.row(bytes, from, to, binary),
      rest: () => rows.rest(),
    })
  }

  async eachLine(
    sql: string,
    parameters: readonly Bound[],
    take: (line: string) => void,
    options: QueryOptions = {},
  ): Promise<void> {
    for await (const block of this.copyOut(sql, parameters, options)) {
      for (const line of linesOf(block)) take(line)
    }
  }

  async *#pages<Page>(
    sql: string,
    parameters: readonly Bound[],
    { signal, mostBytes }: CopyOptions,
    maker: PageMaker<Page> | PacketMaker<Page>,
  ) {
    try {
      this.#refuseAfterRollback()
      const limits = { signal: firstOf(signal, this.#deadline), mostBytes }
      yield* this.session.pages(this.#bound(sql, parameters), maker, limits)
    } catch (error) {
      throw this.#translate(this.#noted(error))
    }
  }

  async merge(target: MergeTarget, open: OpenBlocks, options: QueryOptions = {}): Promise<MergeResult> {
    if (!this.#inTransaction) {
      throw new TerminalError(
        `Rows cannot be merged into ${target.table} outside a transaction. Call begin('write') first.`,
      )
    }
    return this.#withRows(open, options, (session, rows) => mergeRows(session, target, rows))
  }

  mergeSelected(target: MergeTarget, from: string, options: QueryOptions = {}) {
    return this.#withRows(
      () => [],
      options,
      (session) => mergeSelected(session, target, from),
    )
  }

  async holdKeys(
    table: Pick<MergeTarget, 'table' | 'key'>,
    open: OpenBlocks,
    options: QueryOptions = {},
  ): Promise<HeldKeys> {
    return this.#withRows(open, options, (session, rows) => holdKeys(session, table, rows))
  }

  holdSelected(table: Pick<MergeTarget, 'table' | 'key'>, from: string, options: QueryOptions = {}) {
    return this.#translated(() => holdSelected(this.#mergeSession(options.signal), table, from))
  }

  async holdRows(table: HeldTable, open: OpenBlocks, options: QueryOptions = {}): Promise<HeldRows> {
    return this.#withRows(open, options, (session, rows) => holdRows(session, table, rows))
  }

  /** What `open` throws comes through as it is. */
  async #withRows<T>(
    open: OpenBlocks,
    options: QueryOptions,
    work: (session: MergeSession, open: OpenBlocks) => Promise<T>,
  ): Promise<T> {
    let own: { readonly error: unknown } | null = null
    const noting = async function* () {
      try {
        yield* open()
      } catch (error) {
        own = { error }
        throw error
      }
    }
    try {
      return await work(this.#mergeSession(options.signal), noting)
    } catch (error) {
      const thrown = own as { readonly error: unknown } | null
      if (thrown !== null && thrown.error === error) {
        // The rows may have been stopped by the same signal, and say so in their own way.
        if (firstOf(options.signal, this.#deadline)?.aborted) throw this.#noted(stopped(error))
        throw error
      }
      throw this.#translate(this.#noted(error))
    }
  }

  #mergeSession(signal: AbortSignal | undefined): MergeSession {
    return {
      facts: this.#facts,
      signal,
      run: (sql, options) => this.#run(sql, options),
    }
  }

  async begin(mode: TransactionMode): Promise<void> {
    if (this.#inTransaction) throw new TerminalError('A transaction is open already; use a savepoint inside it.')
    if (mode === 'write' && this.#facts.refusesTemporaryTables) throw loggedAsStatements(this.session.place)
    await this.#translated(async () => {
      if (mode === 'snapshot') {
        this.#horizon = await this.#readHorizon()
        await beginSnapshot((sql) => this.#run(sql))
      } else if (mode === 'read') await this.#run('START TRANSACTION READ ONLY')
      else {
        // Without the gap locks of REPEATABLE READ, two partitions that load one table do not wait for each other. It
        // holds for the next transaction alone.
        const level = this.#facts.logsStatements ? 'REPEATABLE READ' : 'READ COMMITTED'
        await this.#run(`SET TRANSACTION ISOLATION LEVEL ${level}`)
        await this.#run('START TRANSACTION READ WRITE')
      }
    })
    this.#inTransaction = true
    this.#gone = null
  }

  async commit(): Promise<void> {
    const isSent = !this.#deadline?.aborted
    await this.#translated(() => this.#run('COMMIT')).catch((error) => {
      if (!isSent || !this.#deadline?.aborted) throw error
      throw new TransientError(
        'COMMIT was not answered before the deadline, so it is not known whether the transaction was kept. Look before it is done again.',
        { cause: error },
      )
    })
    this.#end()
  }

  async rollback(): Promise<void> {
    this.#described?.forgetAfter('ROLLBACK')
    if (!this.#inTransaction) return
    this.#gone = null
    this.#end()
    // A lost connection has rolled back already.
    if (!this.session.isOpen) return
    const signal = this.#deadline === undefined ? undefined : AbortSignal.timeout(ROLLBACK_MILLISECONDS)
    await this.#translated(() => this.session.run('ROLLBACK', { signal }))
  }

  #end(): void {
    this.#inTransaction = false
    this.#horizon = null
  }

  async savepoint(name: string): Promise<void> {
    await this.#translated(() => this.#run(`SAVEPOINT ${quote(name)}`))
  }

  async releaseSavepoint(name: string): Promise<void> {
    await this.#translated(() => this.#run(`RELEASE SAVEPOINT ${quote(name)}`))
  }

  async rollbackTo(name: string): Promise<void> {
    await this.#translated(() => this.#run(`ROLLBACK TO SAVEPOINT ${quote(name)}`))
  }

  describe(table: string): Promise<LiveTable | null> {
    const ask = () => this.#translated(() => describeTable((sql) => this.#run(sql), table, this.#facts.isMariaDB))
    return this.#described?.of(table, ask) ?? ask()
  }

  describeQuery(sql: string, parameters: readonly Bound[] = []): Promise<readonly LiveColumn[]> {
    const prepare = (text: string) => this.session.prepare(text, this.#deadline)
    return this.#translated(async () => describeQuery(prepare, this.#bound(sql, parameters))).catch((error: Error) => {
      throw queryRefused(error)
    })
  }

  settledUntil(lagSeconds: number, options: SettledOptions = {}): Promise<Settled> {
    return this.#translated(async () =>
      settled((sql) => this.#run(sql), this.#horizon ?? (await this.#readHorizon()), lagSeconds, options),
    )
  }

  async serverZone(): Promise<string | null> {
    const { timeZone, systemTimeZone } = this.#facts
    if (timeZone === '+00:00') return null
    return timeZone === 'SYSTEM' ? `${timeZone} (${systemTimeZone})` : timeZone
  }

  #readHorizon(): Promise<Horizon> {
    return readHorizon((sql) => this.#run(sql), this.#facts, { inTransaction: this.#inTransaction })
  }

  #translate(error: unknown): Error {
    return translate(error, this.session.place)
  }

  async #translated<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#translate(error)
    }
  }
}

function stopped(cause: unknown): TransientError {
  return new TransientError('The work was stopped before it ended, and its transaction is rolled back.', { cause })
}
