import { Database } from 'dray/internal/active-record/database.ts'
import type { CopyBlock, Text } from 'dray/internal/block/block.ts'
import { BlockEncoder, decodeBlock } from 'dray/internal/block/copy-text.ts'
import type {
  Adapter,
  Bound,
  Connection,
  CopyOptions,
  HeldKeys,
  HeldRows,
  HeldTable,
  LiveTable,
  MergeResult,
  MergeTarget,
  QueryOptions,
  QueryResult,
  Settled,
  SettledOptions,
  TransactionMode,
} from 'dray/internal/database/adapter.ts'
import { postgresBuilder } from 'dray/internal/database/postgres/builder.ts'
import { capabilities } from 'dray/internal/database/postgres/capabilities.ts'
import { RowTooLarge } from 'dray/internal/database/row-too-large.ts'
import { TerminalError, TransientError } from 'dray/internal/errors.ts'
import { sql } from 'kysely'
import type { Io } from './io.ts'
import type { MemoryDatabase } from './memory-database.ts'
import { mergeIntoMemory } from './memory-merge.ts'
import { canonical, quote } from './memory-table.ts'
import type { MemoryTransaction } from './memory-transaction.ts'

/** Few enough that a small table comes in several blocks, between which things can go wrong. */
const BLOCK_ROWS = 3

/** A session with a `MemoryDatabase`; each request goes through `io`. */
export class MemoryConnection implements Connection {
  readonly #name: string
  readonly #database: MemoryDatabase
  readonly #io: Io
  readonly #generation: number
  #transaction: MemoryTransaction | null = null
  #lost = false

  constructor(name: string, database: MemoryDatabase, io: Io) {
    this.#name = name
    this.#database = database
    this.#generation = database.generation
    this.#io = io
  }

  /** The session breaks; the server rolls back what was open. */
  kill(): void {
    this.#lost = true
    if (this.#transaction !== null) this.#database.rollback(this.#transaction)
  }

  /** The session was broken, or the server is another one since. */
  get #isGone(): boolean {
    return this.#lost || this.#generation !== this.#database.generation
  }

  #request<T>(what: string, signal: AbortSignal | undefined, perform: () => T | Promise<T>): Promise<T> {
    if (this.#lost) return Promise.reject(this.#fault())
    const operation = {
      name: `${this.#name} ${what}`,
      signal,
      fault: () => this.#fault(),
      lost: () => this.kill(),
    }
    return this.#io(operation, () => {
      if (this.#isGone) throw this.#fault()
      return perform()
    })
  }

  #fault(): Error {
    return new TransientError(`the connection to ${this.#name} was lost; nothing of the open transaction is kept`)
  }

  query(sql: string, parameters: readonly Bound[] = [], { signal }: QueryOptions = {}): Promise<QueryResult> {
    return this.#request(sql.slice(0, 48), signal, () => this.#execute(sql, parameters, signal))
  }

  async #execute(sql: string, parameters: readonly Bound[], signal: AbortSignal | undefined): Promise<QueryResult> {
    const own = this.#transaction === null
    const transaction = this.#transaction ?? this.#database.begin('write', true)
    try {
      for (;;) {
        const answer = this.#database.execute(transaction, sql, parameters)
        if ('rows' in answer) {
          if (own) this.#database.commit(transaction)
          return answer
        }
        await this.wait(answer.blockedBy, signal)
      }
    } catch (error) {
      if (own) this.#database.rollback(transaction)
      throw error
    }
  }

  /** Until the transaction in the way has ended; gives up when the signal fires or the session breaks. */
  async wait(blockedBy: MemoryTransaction, signal: AbortSignal | undefined): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>()
    const stop = () => reject(signal?.reason)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      await Promise.race([blockedBy.ended, promise])
    } catch (error) {
      this.kill()
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
    }
    if (this.#isGone) throw this.#fault()
  }

  async *stream(sql: string, parameters: readonly Bound[] = [], options: QueryOptions & { pageRows?: number } = {}) {
    const { rows } = await this.query(sql, parameters, options)
    const page = options.pageRows ?? 1_000
    for (let start = 0; start < rows.length; start += page) yield rows.slice(start, start + page)
  }

  async *copyOut(
    sql: string,
    parameters: readonly Bound[] = [],
    { signal, mostBytes = Number.POSITIVE_INFINITY }: CopyOptions = {},
  ): AsyncGenerator<CopyBlock> {
    const { rows: all } = await this.#request(`copy ${sql.slice(0, 40)}`, signal, () =>
      this.#execute(sql, parameters, signal),
    )
    const rows = all.slice(0, this.#database.options.mostRows?.())
    for (let start = 0; start < rows.length; start += BLOCK_ROWS) {
      const encoder = new BlockEncoder()
      for (const row of rows.slice(start, start + BLOCK_ROWS)) {
        if (row.some((text) => (text?.length ?? 0) > mostBytes)) throw new RowTooLarge(this.#name, mostBytes)
        encoder.push(row)
      }
      const block = encoder.flush() as CopyBlock
      yield await this.#request('copy: a block', signal, () => block)
    }
  }

  merge(
    target: MergeTarget,
    open: () => AsyncIterable<CopyBlock> | Iterable<CopyBlock>,
    { signal }: QueryOptions = {},
  ): Promise<MergeResult> {
    const transaction = this.#transaction
    if (transaction === null) throw new TerminalError('merge needs an open transaction')
    return mergeIntoMemory(
      {
        database: this.#database,
        transaction,
        request: (what, perform) => this.#request(what, signal, perform),
        wait: (blockedBy) => this.wait(blockedBy, signal),
      },
      target,
      open,
    )
  }

  holdKeys(
    { table, key }: Pick<MergeTarget, 'table' | 'key'>,
    open: () => AsyncIterable<CopyBlock> | Iterable<CopyBlock>,
    { signal }: QueryOptions = {},
  ): Promise<HeldKeys> {
    return this.#request('hold keys', signal, async () => {
      const held: string[] = []
      for await (const block of open()) {
        for (const texts of decodeBlock(block)) held.push(texts.map((text) => canonical(text)).join('|'))
      }
      // A column alone, so that it compares by its own collation.
      const own = key.map((column) => `${quote(table)}.${quote(column)}`).join(" || '|' || ")
      const literals = held.map(literal).join(', ')
      return { isHeld: `(${own}) in (${literals})` }
    })
  }

  holdRows(
    { table, columns, key = [] }: HeldTable,
    open: () => AsyncIterable<CopyBlock> | Iterable<CopyBlock>,
    { signal }: QueryOptions = {},
  ): Promise<HeldRows> {
    return this.#request('hold rows', signal, async () => {
      const held: string[] = []
      for await (const block of open()) {
        for (const texts of decodeBlock(block)) {
          const values = texts.map((text, at) => {
            const column = columns[at] ?? ''
            const collation = key.includes(column) ? this.#database.collationOf(table, column) : ''
            return `${literal(canonical(text))}${collation} as ${quote(column)}`
          })
          held.push(`select ${held.length} as place, ${values.join(', ')}`)
        }
      }
      const none = ['place', ...columns].map((column) => `null as ${quote(column)}`).join(', ')
      if (held.length === 0) held.push(`select ${none} where false`)
      return { table: `(${held.join(' union all ')}) held`, place: 'place', rowOf: Number, release: async () => {} }
    })
  }

  begin(mode: TransactionMode): Promise<void> {
    return this.#request(`begin ${mode}`, undefined, () => {
      this.#transaction = this.#database.begin(mode, true)
    })
  }

  commit(): Promise<void> {
    return this.#request('commit', undefined, () => this.#end((transaction) => this.#database.commit(transaction)))
  }

  rollback(): Promise<void> {
    return this.#request('rollback', undefined, () => this.#end((transaction) => this.#database.rollback(transaction)))
  }

  #end(end: (transaction: MemoryTransaction) => void): void {
    const transaction = this.#transaction
    this.#transaction = null
    if (transaction !== null) end(transaction)
  }

  async savepoint(name: string): Promise<void> {
    this.#transaction?.mark(name)
  }

  async releaseSavepoint(): Promise<void> {}

  async rollbackTo(name: string): Promise<void> {
    this.#transaction?.undoTo(name)
  }

  describe(table: string): Promise<LiveTable | null> {
    return this.#request(`describe ${table}`, undefined, () => this.#database.describe(table))
  }

  describeQuery(): Promise<never> {
    throw new Error('the simulation has no queries')
  }

  mergeSelected(): Promise<never> {
    throw new Error('the simulation has no queries')
  }

  holdSelected(): Promise<never> {
    throw new Error('the simulation has no queries')
  }

  settledUntil(lagSeconds: number, options: SettledOptions = {}): Promise<Settled> {
    return this.#request('settled until', undefined, () =>
      this.#database.settledUntil(lagSeconds, options, this.#transaction),
    )
  }

  serverZone(): Promise<string | null> {
    return Promise.resolve(null)
  }
}

function literal(text: Text): string {
  return text === null ? 'null' : `'${text.replaceAll("'", "''")}'`
}

/** Opens a session for each caller: the sessions of two Lambdas have nothing in common. */
function memoryAdapter(
  name: string,
  bound: () => MemoryDatabase,
  io: Io,
  opened: (connection: MemoryConnection) => void,
): Adapter {
  return {
    ...capabilities,
    schema: { ...capabilities.schema, wholeName: (table) => sql`${table}`, viewNamed: () => sql`select 1 where 1 = 0` },
    identity: {
      read: async () => {
        const server = bound().options.identity ?? name
        return { identity: { server, database: name, position: null }, weakness: null }
      },
      compare: async (_rows, known, now) => (known.server === now.server ? 'same' : 'other'),
      ofTable: async () => ({ ids: [], definition: null, partsFrom: null }),
      sameDefinition: (known, now) => known === now,
      newParts: null,
      tablesKnownBy: null,
    },
    catalogue: {
      list: async (query) => {
        // A request like any other, which may go wrong.
        await query('select 1 as "tables"')
        return bound()
          .tableNames()
          .map((table) => ({ table, isView: false, rows: null, bytes: null }))
      },
      details: async (_query, table) => ({
        comment: null,
        isView: false,
        isInherited: false,
        columns: new Map(),
        indexed: new Set(bound().columnNames(table)),
      }),
    },
    dialect: 'postgres',
    builder: postgresBuilder(),
    async acquire() {
      const connection = new MemoryConnection(name, bound(), io)
      opened(connection)
      return connection
    },
    async release(connection) {
      ;(connection as MemoryConnection).kill()
    },
    async close() {},
    quote,
    translate: (error) => (error instanceof Error ? error : new TerminalError(String(error))),
  }
}

/** A named database whose engine is one in memory, given before the first query. */
export class SimulatedDatabase extends Database {
  #engine: Adapter | null = null

  /** `database` may depend on who asks. */
  connect(
    database: MemoryDatabase | (() => MemoryDatabase),
    io: Io,
    opened: (connection: MemoryConnection) => void = () => {},
  ): void {
    const bound = typeof database === 'function' ? database : () => database
    this.#engine = memoryAdapter(this.name, bound, io, opened)
  }

  override async adapter(): Promise<Adapter> {
    if (this.#engine === null) throw new TerminalError(`${this.name} has no engine`)
    return this.#engine
  }
}
