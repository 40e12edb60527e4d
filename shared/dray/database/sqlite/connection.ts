import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import { TransientError } from '#dray/errors.ts'
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
import { queryRefused } from '../query-columns.ts'
import { RowTooLarge } from '../row-too-large.ts'
import { DamagedRows } from './damaged-rows.ts'
import { describeQuery, describeTable } from './describe.ts'
import { type Horizon, readHorizon, settled } from './horizon.ts'
import { holdKeys, holdSelected } from './merge/hold-keys.ts'
import { holdRows } from './merge/hold-rows.ts'
import { mergeRows } from './merge/merge.ts'
import { mergeSelected } from './merge/merge-selected.ts'
import type { MergeSession } from './merge/session.ts'
import { quote } from './names.ts'
import type { SqliteSession } from './session.ts'
import { isTooBig, translate } from './translate.ts'
import { isSuspect } from './valid-text.ts'
import { type Stored, textsOf } from './values.ts'

const PAGE_ROWS = 1_000

/** Makes pages of rows. */
interface PageMaker<Page> {
  /** Takes a row; returns a page when one is full. */
  row(texts: Text[]): Page | null
  /** What is left, or null. */
  rest(): Page | null
}

/**
 * One open file. SQLite works within the call, so a signal is looked at between pages, blocks and statements only.
 * Every error is translated.
 */
export class SqliteConnection implements Connection {
  readonly session: SqliteSession
  #horizon: Horizon | null = null
  #described: DescribedTables | undefined

  constructor(session: SqliteSession) {
    this.session = session
  }

  describeBy(known: DescribedTables | undefined): void {
    this.#described = known
  }

  /** A transaction was left open. */
  get broken(): boolean {
    return !this.session.database.isOpen || this.session.database.isTransaction
  }

  query(sql: string, parameters: readonly Bound[] = [], { signal }: QueryOptions = {}): Promise<QueryResult> {
    return this.#translated(async () => {
      this.#check(signal)
      const described = this.#described
      described?.forgetAfter(sql)
      try {
        if (this.session.database.isTransaction) return this.session.run(sql, parameters)
        return await this.session.patiently(() => this.session.run(sql, parameters), signal)
      } finally {
        // A look at the table may have been begun while the statement waited for another writer.
        described?.forgetAfter(sql)
      }
    })
  }

  stream(
    sql: string,
    parameters: readonly Bound[] = [],
    { signal, pageRows = PAGE_ROWS }: QueryOptions & { readonly pageRows?: number } = {},
  ): AsyncIterable<readonly (readonly Text[])[]> {
    let page: Text[][] = []
    const take = () => {
      const taken = page
      page = []
      return taken
    }
    const row = (texts: Text[]) => (page.push(texts) < pageRows ? null : take())
    return this.#pages(sql, parameters, { row, rest: () => (page.length === 0 ? null : take()) }, { signal })
  }

  copyOut(sql: string, parameters: readonly Bound[] = [], options: CopyOptions = {}): AsyncGenerator<CopyBlock> {
    const encoder = new BlockEncoder()
    const maker = { row: (texts: Text[]) => encoder.push(texts), rest: () => encoder.flush() }
    return this.#pages(sql, parameters, maker, options)
  }

  async *#pages<Page>(
    sql: string,
    parameters: readonly Bound[],
    maker: PageMaker<Page>,
    { signal, keepDamaged, mostBytes }: CopyOptions,
  ): AsyncGenerator<Page> {
    this.#check(signal)
    const limit = async () => (mostBytes === undefined ? null : this.session.limitValues(sql, mostBytes))
    const endLimit = await this.#translated(limit)
    let rows: Iterator<Stored[]> | null = null
    const damaged = keepDamaged ? new DamagedRows(this.session, sql, parameters, keepDamaged) : null
    const texts = this.#textsOf(sql, parameters, damaged)
    try {
      const reading = await this.#translated(async () => this.session.iterate(sql, parameters))
      rows = reading
      for (let more = true; more; ) {
        const page = await this.#translated(async () => {
          for (let place = 0; place < PAGE_ROWS; place++) {
            const next = reading.next()
            more = next.done !== true
            if (next.done === true) return maker.rest()
            const full = maker.row(texts(next.value))
            if (full !== null) return full
          }
          return null
        })
        if (page !== null) yield page
        await nextTurn()
        this.#check(signal)
      }
    } catch (error) {
      const { cause } = error as Error
      throw mostBytes !== undefined && isTooBig(cause)
        ? new RowTooLarge(this.session.place.name, mostBytes, { cause })
        : error
    } finally {
      endLimit?.()
      rows?.return?.()
      damaged?.close()
    }
  }

  /** Makes texts of one row of a statement after the other. */
  #textsOf(sql: string, parameters: readonly Bound[], damaged: DamagedRows | null): (row: Stored[]) => Text[] {
    let place = -1
    if (damaged !== null) {
      return (row) => {
        place += 1
        return damaged.texts(place, row)
      }
    }
    let verified = false
    return (row) => {
      if (!verified && isSuspect(row)) {
        this.session.requireUtf8(sql, parameters)
        verified = true
      }
      return textsOf(row)
    }
  }

  merge(target: MergeTarget, open: OpenBlocks, { signal }: QueryOptions = {}): Promise<MergeResult> {
    return this.#translated(() => mergeRows(this.#mergeSession(signal), target, open))
  }

  mergeSelected(target: MergeTarget, from: string, { signal }: QueryOptions = {}) {
    const text = `SELECT ${target.columns.map(quote).join(', ')} FROM ${from} ORDER BY rowid`
    const open = () => this.copyOut(text, [], { signal })
    return this.#translated(() => mergeSelected(this.#mergeSession(signal), target, from, open))
  }

  holdKeys(
    table: Pick<MergeTarget, 'table' | 'key'>,
    open: OpenBlocks,
    { signal }: QueryOptions = {},
  ): Promise<HeldKeys> {
    return this.#translated(() => holdKeys(this.#mergeSession(signal), table, open))
  }

  holdSelected(table: Pick<MergeTarget, 'table' | 'key'>, from: string, { signal }: QueryOptions = {}) {
    return this.#translated(async () => holdSelected(this.#mergeSession(signal), table, from))
  }

  holdRows(table: HeldTable, open: OpenBlocks, { signal }: QueryOptions = {}): Promise<HeldRows> {
    return this.#translated(() => holdRows(this.#mergeSession(signal), table, open))
  }

  #mergeSession(signal: AbortSignal | undefined): MergeSession {
    const { session } = this
    return {
      place: session.place,
      database: session.database,
      rows: session.rows.bind(session),
      check: () => this.#check(signal),
    }
  }

  begin(mode: TransactionMode): Promise<void> {
    return this.#translated(async () => {
      const { database } = this.session
      if (mode === 'write') {
        this.#horizon = null
        await this.session.patiently(() => database.exec('BEGIN IMMEDIATE'))
        return
      }
      this.#horizon = mode === 'snapshot' ? readHorizon(this.session) : null
      // The first read is what takes the snapshot.
      await this.session.patiently(() => {
        database.exec('BEGIN')
        try {
          database.exec('SELECT 1 FROM sqlite_schema LIMIT 1')
        } catch (error) {
          database.exec('ROLLBACK')
          throw error
        }
      })
    })
  }

  commit(): Promise<void> {
    return this.#translated(async () => {
      this.#horizon = null
      if (!this.session.database.isTransaction) {
        throw new TransientError(
          `Database ${this.session.place.name} had rolled the transaction back by itself, so nothing of it was kept`,
        )
      }
      await this.session.patiently(() => this.session.database.exec('COMMIT'))
    })
  }

  rollback(): Promise<void> {
    this.#horizon = null
    this.#described?.forgetAfter('ROLLBACK')
    return this.#translated(async () => {
      if (this.session.database.isTransaction) this.session.database.exec('ROLLBACK')
    })
  }

  savepoint(name: string): Promise<void> {
    return this.#translated(async () => this.session.database.exec(`SAVEPOINT ${quote(name)}`))
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#translated(async () => this.session.database.exec(`RELEASE ${quote(name)}`))
  }

  rollbackTo(name: string): Promise<void> {
    this.#described?.forgetAfter('ROLLBACK')
    return this.#translated(async () => this.session.database.exec(`ROLLBACK TO ${quote(name)}`))
  }

  describe(table: string): Promise<LiveTable | null> {
    const ask = () =>
      this.#translated(async () => describeTable((sql, parameters) => this.session.rows(sql, parameters), table))
    return this.#described?.of(table, ask) ?? ask()
  }

  /** The values have no part in it: they are of no type. */
  describeQuery(sql: string): Promise<readonly LiveColumn[]> {
    return this.#translated(async () => describeQuery(this.session.database, sql)).catch((error: Error) => {
      throw queryRefused(error)
    })
  }

  settledUntil(lagSeconds: number, options: SettledOptions = {}): Promise<Settled> {
    return this.#translated(async () => settled(this.#horizon ?? readHorizon(this.session), lagSeconds, options))
  }

  /** Its clock tells UTC. */
  serverZone(): Promise<string | null> {
    return Promise.resolve(null)
  }

  #check(signal: AbortSignal | undefined): void {
    if (!signal?.aborted) return
    throw new TransientError(
      `The work on database ${this.session.place.name} was stopped before it ended (deadline or interruption); nothing of the open transaction is kept`,
      { cause: signal.reason },
    )
  }

  async #translated<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw translate(error, this.session.place)
    }
  }
}
