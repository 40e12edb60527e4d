import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { linesOf } from '#dray/block/copy-text.ts'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { Bound, Connection, LiveTable, MergeResult, MergeTarget, QueryOptions, QueryResult } from '../adapter.ts'
import { CopyRows } from './copy-rows.ts'
import { endsTransaction } from './errors.ts'
import { liveTableOf, readTable } from './live-table.ts'
import { mergeRows } from './merge/merge.ts'
import type { MergeSession } from './merge/session.ts'
import { quote } from './names.ts'
import { bind } from './parameters.ts'
import { commitsFirst, type Session } from './session.ts'
import { type OpenTransactions, readOpenTransactions, settle } from './settled-time.ts'
import type { PacketMaker, PageMaker, Reply, Wire, WireOptions } from './wire.ts'

const PAGE_ROWS = 1_000
/** The line may take longer than the server, which goes on by itself. */
const ROLLBACK_MS = 2_000

type Translate = (error: unknown) => Error

/** A connection of MySQL or MariaDB. TIMESTAMP columns are read and written in UTC, whatever the session's time zone. */
export class MysqlConnection implements Connection {
  readonly wire: Wire
  readonly #session: Session
  readonly #translate: Translate
  #inTransaction = false
  /** Why the open transaction can no longer be committed: the server has rolled it back. */
  #gone: Error | null = null
  #beforeSnapshot: OpenTransactions | null = null
  #deadline: AbortSignal | undefined

  constructor(wire: Wire, session: Session, translate: Translate) {
    this.wire = wire
    this.#session = session
    this.#translate = translate
  }

  get inTransaction(): boolean {
    return this.#inTransaction
  }

  stopAt(deadline: AbortSignal | undefined): void {
    this.#deadline = deadline
  }

  /** What stops a statement that is given `signal`. */
  #limit(signal: AbortSignal | undefined): AbortSignal | undefined {
    if (signal === undefined || signal === this.#deadline) return this.#deadline
    return this.#deadline === undefined ? signal : AbortSignal.any([signal, this.#deadline])
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
    return bind(sql, parameters, this.#session.noBackslashEscapes)
  }

  /** Runs a statement whose values are in it; throws the driver's errors. */
  async #run(sql: string, options: WireOptions = {}): Promise<Reply> {
    this.#refuseAfterRollback()
    return this.wire.run(this.#session.prepare(sql), this.#limited(options)).catch((error) => {
      throw this.#noted(error)
    })
  }

  #limited(options: WireOptions): WireOptions {
    return { ...options, signal: this.#limit(options.signal) }
  }

  #refuseAfterRollback(): void {
    // The server would run the next statement outside any transaction, and keep what it writes.
    if (this.#gone !== null) throw this.#gone
  }

  #noted(error: unknown): unknown {
    if (this.#inTransaction && (endsTransaction(error) || error instanceof TransientError)) {
      this.#gone ??= new TransientError('The server has rolled back the transaction. Begin it again.', { cause: error })
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

  async *copyOut(
    sql: string,
    parameters: readonly Bound[] = [],
    options: QueryOptions = {},
  ): AsyncGenerator<CopyBlock> {
    const rows = new CopyRows()
    yield* this.#pages(sql, parameters, options, {
      packet: (bytes, from, to, binary) => rows.row(bytes, from, to, binary),
      rest: () => rows.rest(),
    })
  }

  async lines(sql: string, parameters: readonly Bound[] = [], options: QueryOptions = {}): Promise<readonly string[]> {
    const lines: string[] = []
    for await (const block of this.copyOut(sql, parameters, options)) {
      for (const line of linesOf(block)) lines.push(line)
    }
    return lines
  }

  async *#pages<Page>(
    sql: string,
    parameters: readonly Bound[],
    options: QueryOptions,
    maker: PageMaker<Page> | PacketMaker<Page>,
  ) {
    try {
      this.#refuseAfterRollback()
      yield* this.wire.pages(this.#session.prepare(this.#bound(sql, parameters)), maker, this.#limit(options.signal))
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
      return await mergeRows(this.#mergeSession, target, noting, options.signal)
    } catch (error) {
      const thrown = own as { readonly error: unknown } | null
      if (thrown !== null && thrown.error === error) {
        // The rows may have been stopped by the same signal, and say so in their own way.
        if (this.#limit(options.signal)?.aborted) throw this.#noted(stopped(error))
        throw error
      }
      throw this.#translate(this.#noted(error))
    }
  }

  get #mergeSession(): MergeSession {
    return {
      facts: this.#session.facts,
      run: (sql, options) => this.#run(sql, options),
      load: (sql, options) => this.#load(sql, options),
    }
  }

  /** LOAD DATA, with its file. */
  async #load(sql: string, options: WireOptions): Promise<Reply> {
    this.#refuseAfterRollback()
    return this.wire.run(this.#session.prepareLoad(sql), this.#limited(options)).catch((error) => {
      throw this.#noted(error)
    })
  }

  async begin(mode: 'write' | 'snapshot'): Promise<void> {
    if (this.#inTransaction) throw new TerminalError('A transaction is open already; use a savepoint inside it.')
    await this.#translated(async () => {
      if (mode === 'snapshot') {
        this.#beforeSnapshot = await this.#openTransactions()
        await this.#beginSnapshot()
      } else {
        // Without the gap locks of REPEATABLE READ, two partitions that load one table do not wait for each other. It holds for
        // the next transaction alone.
        const level = this.#session.facts.logsStatements ? 'REPEATABLE READ' : 'READ COMMITTED'
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
    if (!this.#inTransaction) return
    this.#gone = null
    this.#end()
    // A lost connection has rolled back already.
    if (!this.wire.isOpen) return
    const signal = this.#deadline === undefined ? undefined : AbortSignal.timeout(ROLLBACK_MS)
    await this.#translated(() => this.wire.run('ROLLBACK', { signal }))
  }

  #end(): void {
    this.#inTransaction = false
    this.#beforeSnapshot = null
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

  async describe(table: string): Promise<LiveTable | null> {
    const found = await this.#translated(() => readTable((sql) => this.#run(sql), table, this.#session.facts.isMariaDB))
    return found === null ? null : liveTableOf(found)
  }

  async settledUntil(lagSeconds: number): Promise<{ until: string; exact: boolean; reason: string | null }> {
    return this.#translated(async () => {
      const open = this.#beforeSnapshot ?? (await this.#openTransactions())
      const until = await settle((sql) => this.#run(sql), open, lagSeconds)
      return { until, exact: open.reason === null, reason: open.reason }
    })
  }

  async #beginSnapshot(): Promise<void> {
    await this.#run('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    await this.#run('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY')
  }

  async #openTransactions(): Promise<OpenTransactions> {
    const look = (tries: number) => readOpenTransactions((sql) => this.#run(sql), this.#session.facts.isReadOnly, tries)
    // A transaction that has touched no row yet is not on the list itself.
    if (this.#inTransaction) return look(2)
    await this.#beginSnapshot()
    try {
      return await look(12)
    } finally {
      await this.#run('COMMIT')
    }
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

class RowPages implements PageMaker<readonly (readonly Text[])[]> {
  readonly #size: number
  #rows: Text[][] = []

  constructor(size: number) {
    this.#size = size
  }

  row(values: Text[]): readonly (readonly Text[])[] | null {
    this.#rows.push(values)
    return this.#rows.length >= this.#size ? this.#take() : null
  }

  rest(): readonly (readonly Text[])[] | null {
    return this.#rows.length === 0 ? null : this.#take()
  }

  #take(): readonly (readonly Text[])[] {
    const rows = this.#rows
    this.#rows = []
    return rows
  }
}
