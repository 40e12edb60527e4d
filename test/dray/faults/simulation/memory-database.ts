import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Text } from 'dray/internal/block/block.ts'
import type {
  Bound,
  LiveTable,
  QueryResult,
  Settled,
  SettledOptions,
  TransactionMode,
} from 'dray/internal/database/adapter.ts'
import { settled } from 'dray/internal/database/postgres/horizon.ts'
import { DataQualityError, TerminalError, TransientError } from 'dray/internal/errors.ts'
import {
  alterationOf,
  altered,
  canonical,
  collationOf,
  ddlOf,
  declared,
  foldedFor,
  HIDDEN,
  liveTable,
  type MemoryTable,
  quote,
  timeText,
  VERSIONS,
} from './memory-table.ts'
import { type Change, MemoryTransaction, type Row } from './memory-transaction.ts'
import { type LockMode, RowLocks } from './row-locks.ts'

export interface MemoryDatabaseOptions {
  /** The database's clock, in milliseconds since 1970. */
  now: () => number
  /** Whether open transactions can be seen. */
  exact: boolean
  /** A row that a constraint refuses: the column and the reason, or null. */
  check: (table: string, row: Row) => { readonly column: string; readonly message: string } | null
  /** Told of each commit that wrote, when it can be seen. */
  onCommit: (changes: readonly Change[]) => void
  /** What the server knows itself by; the database's name unless told. */
  identity?: string
  /** A trigger that takes a change and does not make it; said of a row that is deleted with what it was. */
  drops?: (table: string, row: Row, isDeleted: boolean) => boolean
  /** The reader is a replica, which has replayed what was committed until this time. */
  replayedUntil?: () => number
  /** Refuses to read a table, as `row_security = off` has a policy do. */
  refusesToRead?: (table: string) => Error | null
  /** Rows that a SELECT gives at most, whatever it counts. */
  mostRows?: () => number
}

/** Rows by table. */
export type Backup = ReadonlyMap<string, readonly Row[]>

/** What a statement gave, or the transaction that it has to wait for. */
export type Answer = QueryResult | { readonly blockedBy: MemoryTransaction }

interface Noted {
  readonly op: 'insert' | 'update' | 'delete'
  readonly table: string
  readonly row: number | null
  readonly data: string | null
}

const NOTHING: QueryResult = { columns: [], rows: [], affected: 0 }
const NEXT = '__dray_next'
const LOCKING = / for (share|update)$/
/** Tables that are made beside another one, and dropped while others may be at work. */
const PASSING = /"(\w+__dray_next)"/g

/** What PostgreSQL says otherwise. */
function forSqlite(sql: string): string {
  return sql.replace(' overriding system value', '').replaceAll('collate "C"', 'collate binary')
}

/**
 * A database in memory with PostgreSQL's rules of concurrency: READ COMMITTED statements over versions of rows, row
 * locks, snapshots, failed transactions. SQLite does the SQL; every statement is atomic, and one that meets a lock says
 * so and is run again.
 */
export class MemoryDatabase {
  options: MemoryDatabaseOptions
  readonly locks = new RowLocks()
  readonly #sqlite = new DatabaseSync(':memory:')
  readonly #statements = new Map<string, StatementSync>()
  readonly #tables = new Map<string, MemoryTable>()
  /** What SQLite has of tables, dropped ones included. */
  readonly #made = new Set<string>()
  /** Tables of which several rows are written as one. */
  readonly #parkedKeys = new Set<string>()
  /** Tables that were dropped. */
  readonly #parked = new Map<string, MemoryTable>()
  readonly #open = new Set<MemoryTransaction>()
  /** Transactions that have committed, with the number of their commit. */
  #commits = new Map<number, number>()
  /** When each of them was, by the database's clock. */
  #committedAt: number[] = []
  #transactions = 0
  /** Sessions of an earlier one have ended. */
  generation = 0
  #reader = { id: 0, commits: 0 }

  constructor(options: MemoryDatabaseOptions) {
    this.options = options
    this.#sqlite.function('visible', (from, to) => (this.#sees(from) && !this.#sees(to) ? 1 : 0))
    this.#sqlite.function('clock_timestamp', () => timeText(this.options.now()))
    this.#sqlite.exec(`create table ${quote(HIDDEN.changes)} (op text, "table" text, row integer, data text)`)
  }

  /** Empties every table and forgets every transaction; the tables stay. */
  reset(options: MemoryDatabaseOptions): void {
    this.options = options
    for (const transaction of [...this.#open]) this.rollback(transaction)
    for (const name of this.#tables.keys()) this.#empty(name)
    this.#commits = new Map()
    this.#committedAt = []
    this.#transactions = 0
    this.#parked.clear()
  }

  /** The committed rows of every table, as a backup takes them. */
  backUp(): Backup {
    return new Map([...this.#tables.keys()].map((name) => [name, this.rows(name)]))
  }

  /** Another state takes the place of this one, of no table any row unless given: who is connected is cut off. */
  restore(backup: Backup): void {
    this.generation += 1
    for (const transaction of [...this.#open]) this.rollback(transaction)
    for (const name of [...this.#tables.keys()]) this.#empty(name)
    for (const name of backup.keys()) this.#comeBack(name)
    const transaction = this.begin()
    for (const [name, rows] of backup) for (const row of rows) this.put(transaction, name, row, null)
    this.#commits.set(transaction.id, this.#commits.size + 1)
    this.#committedAt.push(this.options.now())
    this.#end(transaction)
  }

  /** A table that was dropped since its rows were taken. */
  #comeBack(name: string): void {
    const table = this.#parked.get(name)
    if (table !== undefined) this.#tables.set(name, table)
  }

  #empty(name: string): void {
    const table = this.#tables.get(name)
    if (name.endsWith(NEXT) && table !== undefined) {
      this.#tables.delete(name)
      this.#parked.set(name, table)
    }
    this.#sqlite.exec(`delete from ${quote(name + VERSIONS)}`)
  }

  get openTransactions(): number {
    return this.#open.size
  }

  /** A reader reads from the replica, where there is one. */
  begin(mode: TransactionMode = 'write', isReader = false): MemoryTransaction {
    this.#transactions += 1
    const snapshot = mode !== 'write' ? this.#commitsFor(isReader) : null
    const transaction = new MemoryTransaction(this.#transactions, this.options.now(), snapshot, isReader)
    this.#open.add(transaction)
    return transaction
  }

  /** Throws `Transient`, with nothing kept, when a statement had failed. */
  commit(transaction: MemoryTransaction): void {
    if (transaction.failed) {
      this.rollback(transaction)
      throw new TransientError('COMMIT was answered with ROLLBACK: a statement of the transaction had failed')
    }
    this.#commits.set(transaction.id, this.#commits.size + 1)
    this.#committedAt.push(this.options.now())
    this.#end(transaction)
    if (transaction.changes.length > 0) this.options.onCommit(transaction.changes)
  }

  /** How many commits a reader sees. */
  #commitsFor(isReader: boolean): number {
    const until = isReader ? this.options.replayedUntil?.() : undefined
    if (until === undefined) return this.#commits.size
    const later = this.#committedAt.findIndex((at) => at > until)
    return later < 0 ? this.#commits.size : later
  }

  rollback(transaction: MemoryTransaction): void {
    if (!transaction.open) return
    transaction.undoTo(null)
    this.#end(transaction)
  }

  #end(transaction: MemoryTransaction): void {
    this.#open.delete(transaction)
    this.locks.release(transaction)
    transaction.close()
  }

  execute(transaction: MemoryTransaction, sql: string, parameters: readonly Bound[] = []): Answer {
    if (transaction.failed) throw new TransientError('the transaction is aborted (25P02); nothing of it is kept')
    try {
      if (/^create table/.test(sql)) return this.#createTable(sql)
      if (/^drop table/.test(sql)) return this.#dropTable(transaction, sql)
      if (/^alter table/.test(sql)) return this.#alterTable(sql)
      if (/pg_advisory_xact_lock/.test(sql)) return this.#takeAdvisoryLock(transaction)
      // There are no foreign keys and no triggers here.
      if (/ from pg_(constraint|trigger) /.test(sql)) return { columns: [], rows: [], affected: 0 }
      return this.#run(transaction, sql, parameters)
    } catch (error) {
      transaction.failed = true
      if (error instanceof Error && error.name === 'Error') throw new TerminalError(`${error.message}: ${sql}`)
      throw error
    }
  }

  #run(transaction: MemoryTransaction, sql: string, parameters: readonly Bound[]): Answer {
    for (const [, name = ''] of sql.includes(NEXT) ? sql.matchAll(PASSING) : []) {
      const blocked = this.hold(transaction, name)
      if (blocked !== null) return { blockedBy: blocked }
    }
    this.#reader = { id: transaction.id, commits: transaction.snapshot ?? this.#commitsFor(transaction.isReader) }
    const hidden = this.options.refusesToRead?.(/ from "?(\w+)"?/.exec(sql)?.[1] ?? '') ?? null
    if (hidden !== null && transaction.isReader) throw hidden
    const locking = LOCKING.exec(sql)?.[1]
    const plain = sql.replace(LOCKING, '')
    if (locking !== undefined) {
      const blocked = this.#lockSelected(transaction, plain, parameters, locking === 'share' ? 'share' : 'exclusive')
      if (blocked !== null) return { blockedBy: blocked }
    }
    const result = this.#evaluate(plain, parameters)
    if (/^\s*(select|with)/i.test(plain)) return result
    const noted = this.#takeNoted()
    for (const change of noted) {
      const blocked = this.#lockChange(transaction, change)
      if (blocked !== null) return { blockedBy: blocked }
    }
    const made = noted.filter((change) => this.#apply(transaction, change))
    return { ...result, affected: made.length }
  }

  #evaluate(sql: string, parameters: readonly Bound[]): QueryResult {
    const statement = this.#prepared(sql)
    const bound = Object.fromEntries(
      parameters.map((value, index) => [`$${index + 1}`, typeof value === 'string' ? canonical(value) : value]),
    )
    const rows = statement.all(bound) as unknown as unknown[][]
    return {
      columns: statement.columns().map(({ name }) => name),
      rows: rows.map((row) => row.map((value) => (value === null ? null : String(value)))),
      affected: 0,
    }
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#sqlite.prepare(forSqlite(sql))
    statement.setReturnArrays(true)
    this.#statements.set(sql, statement)
    return statement
  }

  #sees(id: unknown): boolean {
    if (id === null) return false
    return (
      id === this.#reader.id || (this.#commits.get(id as number) ?? Number.POSITIVE_INFINITY) <= this.#reader.commits
    )
  }

  #lockSelected(transaction: MemoryTransaction, sql: string, parameters: readonly Bound[], mode: LockMode) {
    const table = this.#table(/ from "?(\w+)"?/.exec(sql)?.[1] ?? '')
    const key = table.primaryKey.length === 0 ? [HIDDEN.rowid] : table.primaryKey
    const { rows } = this.#evaluate(
      sql.replace(/^select .*? from/, `select ${key.map(quote).join(', ')} from`),
      parameters,
    )
    for (const row of rows) {
      const texts = row.map((text, at) => foldedFor(table, key[at] as string, text)).join('|')
      const blocked = this.locks.take(transaction, `${table.name}:${texts}`, mode)
      if (blocked !== null) return blocked
    }
    return null
  }

  #takeNoted(): Noted[] {
    const changes = quote(HIDDEN.changes)
    const rows = this.#prepared(`select op, "table", row, data from ${changes}`).all() as unknown as unknown[][]
    if (rows.length > 0) this.#prepared(`delete from ${changes}`).run()
    return rows.map(([op, table, row, data]) => ({ op, table, row, data })) as Noted[]
  }

  #lockChange(transaction: MemoryTransaction, { table: name, row, data }: Noted): MemoryTransaction | null {
    const table = this.#table(name)
    const rows = [row === null ? null : this.#version(table, row), data === null ? null : rowOf(table, data)]
    for (const each of rows) {
      if (each === null) continue
      const blocked =
        table.primaryKey.length === 0
          ? this.locks.take(transaction, `${name}:${row}`, 'exclusive')
          : this.lockRow(transaction, name, each)
      if (blocked !== null) return blocked
    }
    return null
  }

  /** Locks the keys of a row, or says who holds one. */
  lockRow(transaction: MemoryTransaction, name: string, row: Row): MemoryTransaction | null {
    const table = this.#table(name)
    for (const key of [table.primaryKey, ...table.uniqueKeys]) {
      if (key.length === 0 || key.some((column) => (row[column] ?? null) === null)) continue
      const texts = key.map((column) => foldedFor(table, column, row[column] ?? null)).join('|')
      const place = key === table.primaryKey ? name : `${name}.${key.join('.')}`
      const blocked = this.locks.take(transaction, `${place}:${texts}`, 'exclusive')
      if (blocked !== null) return blocked
    }
    return null
  }

  /** False for a change that a trigger drops. */
  #apply(transaction: MemoryTransaction, { table: name, row, data }: Noted): boolean {
    const table = this.#table(name)
    const versions = quote(name + VERSIONS)
    const before = row === null ? null : this.#version(table, row)
    const after = data === null ? null : rowOf(table, data)
    if (this.options.drops?.(name, (after ?? before) as Row, after === null) === true) return false
    if (after !== null) this.#refuse(transaction, table, after, row)
    let added: number | null = null
    if (row !== null) this.#prepared(`update ${versions} set ${HIDDEN.to} = ? where rowid = ?`).run(transaction.id, row)
    if (after !== null) {
      const places = [...table.columns, null, null].map(() => '?').join(', ')
      const values = table.columns.map((column) => after[column.name] ?? null)
      added = Number(
        this.#prepared(`insert into ${versions} values (${places})`).run(...values, transaction.id, null)
          .lastInsertRowid,
      )
    }
    transaction.record({
      table: name,
      before,
      after,
      undo: () => {
        if (added !== null) this.#prepared(`delete from ${versions} where rowid = ?`).run(added)
        if (row !== null) this.#prepared(`update ${versions} set ${HIDDEN.to} = null where rowid = ?`).run(row)
      },
    })
    return true
  }

  /** `replaces` is the version that the row takes the place of; null for a new one. */
  #refuse(transaction: MemoryTransaction, table: MemoryTable, row: Row, replaces: number | null): void {
    const refused = this.#problemOf(table, row)
    if (refused !== null) throw new DataQualityError(refused.column, '23514', refused.message)
    if (replaces === null && table.primaryKey.length > 0) {
      if (this.liveVersion(transaction, table.name, table.primaryKey, row) !== null)
        throw new DataQualityError('', '23505', `duplicate key in ${table.name}`)
    }
    for (const key of this.#parkedKeys.has(table.name) ? [] : table.uniqueKeys) {
      const holder = this.liveVersion(transaction, table.name, key, row)
      if (holder !== null && holder.id !== replaces)
        throw new DataQualityError(key[0] ?? '', '23505', `another row of ${table.name} has this ${key.join()}`)
    }
  }

  /** Writes several rows over the versions that they replace as one: only in the end no two of them share a key. */
  putTogether(
    transaction: MemoryTransaction,
    table: string,
    rows: readonly { readonly row: Row; readonly replaces: number }[],
  ): boolean {
    const { uniqueKeys } = this.#table(table)
    transaction.mark('together')
    this.#parkedKeys.add(table)
    try {
      for (const { row, replaces } of rows) this.put(transaction, table, row, replaces)
    } finally {
      this.#parkedKeys.delete(table)
    }
    const isUnique = uniqueKeys.every((key) =>
      rows.every(({ row }) => this.#holders(transaction, table, key, row) === 1),
    )
    if (!isUnique) transaction.undoTo('together')
    return isUnique
  }

  #holders(transaction: MemoryTransaction, table: string, key: readonly string[], row: Row): number {
    this.#reader = { id: transaction.id, commits: this.#commits.size }
    const conditions = key.map((column) => `${quote(column)} = ?`).join(' and ')
    const values = key.map((column) => row[column] ?? null)
    return this.#prepared(`select 1 from ${quote(table)} where ${conditions}`).all(...values).length
  }

  #problemOf(table: MemoryTable, row: Row): { readonly column: string; readonly message: string } | null {
    for (const { name, notNull, length } of table.columns) {
      const value = row[name] ?? null
      if (value === null && notNull) return { column: name, message: `${name} is NULL` }
      if (value !== null && length !== null && value.length > length)
        return { column: name, message: `${name} is too long` }
    }
    return this.options.check(table.name, row)
  }

  /**
   * The version of a key that no other transaction can change any more once its lock is held; null when there is none.
   */
  liveVersion(
    transaction: MemoryTransaction,
    table: string,
    key: readonly string[],
    row: Row,
  ): { id: number; row: Row } | null {
    this.#reader = { id: transaction.id, commits: this.#commits.size }
    const conditions = key.map((column) => `${quote(column)} = ?`).join(' and ')
    const found = this.#prepared(`select ${quote(HIDDEN.rowid)} from ${quote(table)} where ${conditions}`).all(
      ...key.map((column) => row[column] ?? null),
    ) as unknown as number[][]
    const id = found[0]?.[0]
    return id === undefined ? null : { id, row: this.#version(this.#table(table), id) }
  }

  /** Writes one row as a statement of its own: over the version `replaces`, or as a new one. */
  put(transaction: MemoryTransaction, table: string, row: Row, replaces: number | null): boolean {
    const data = JSON.stringify(this.#table(table).columns.map(({ name }) => row[name] ?? null))
    return this.#apply(transaction, { op: replaces === null ? 'insert' : 'update', table, row: replaces, data })
  }

  #version(table: MemoryTable, id: number): Row {
    const columns = table.columns.map(({ name }) => quote(name)).join(', ')
    const sql = `select ${columns} from ${quote(table.name + VERSIONS)} where rowid = ?`
    const [row] = this.#prepared(sql).all(id) as unknown as unknown[][]
    return Object.fromEntries(table.columns.map(({ name }, at) => [name, row?.[at] == null ? null : String(row[at])]))
  }

  uniqueKeys(table: string): readonly (readonly string[])[] {
    return this.#table(table).uniqueKeys
  }

  /** Whether two keys that the table takes for one are written alike. */
  isSpelledAlike(key: readonly string[], one: Row, other: Row): boolean {
    return key.every((column) => one[column] === other[column])
  }

  /** A key as the table compares it. */
  folded(name: string, key: readonly string[], row: Row): string {
    const table = this.#table(name)
    return key.map((column) => foldedFor(table, column, row[column] ?? null) ?? '').join('|')
  }

  /** The committed rows of a table. */
  rows(name: string): Row[] {
    const table = this.#tables.get(name)
    if (table === undefined) return []
    this.#reader = { id: 0, commits: this.#commits.size }
    const { rows } = this.#evaluate(
      `select ${table.columns.map((column) => quote(column.name)).join(', ')} from ${quote(name)}`,
      [],
    )
    return rows.map((row) => Object.fromEntries(table.columns.map((column, at) => [column.name, row[at] ?? null])))
  }

  #createTable(sql: string): QueryResult {
    const table = declared(sql, (name) => this.#table(name))
    if (this.#tables.has(table.name)) {
      if (!/^create table if not exists /.test(sql)) throw new TerminalError(`the table ${table.name} is there already`)
      return NOTHING
    }
    if (!this.#made.has(table.name)) this.#sqlite.exec(ddlOf(table))
    this.#made.add(table.name)
    this.#tables.set(table.name, table)
    return NOTHING
  }

  /** Its rows of before keep their values. */
  #alterTable(sql: string): QueryResult {
    const table = this.#table(/^alter table "(\w+)"/.exec(sql)?.[1] ?? '')
    const changed = altered(sql, table)
    this.#sqlite.exec(alterationOf(table, changed))
    this.#tables.set(table.name, changed)
    this.#statements.clear()
    return NOTHING
  }

  #takeAdvisoryLock(transaction: MemoryTransaction): Answer {
    const blockedBy = this.locks.take(transaction, 'advisory', 'exclusive')
    return blockedBy === null ? { ...NOTHING, rows: [['']] } : { blockedBy }
  }

  /** Waits for everybody who has touched the table. */
  #dropTable(transaction: MemoryTransaction, sql: string): Answer {
    const name = /"(\w+)"$/.exec(sql)?.[1] ?? ''
    if (!this.#tables.has(name)) return NOTHING
    const blockedBy = this.locks.take(transaction, `table ${name}`, 'exclusive')
    if (blockedBy !== null) return { blockedBy }
    this.#empty(name)
    return NOTHING
  }

  /** Keeps a table from being dropped until the transaction ends, or says which one is dropping it. */
  hold(transaction: MemoryTransaction, name: string): MemoryTransaction | null {
    this.#table(name)
    return name.endsWith(NEXT) ? this.locks.take(transaction, `table ${name}`, 'share') : null
  }

  #table(name: string): MemoryTable {
    const table = this.#tables.get(name)
    if (table === undefined) throw new TerminalError(`there is no table ${name}`)
    return table
  }

  tableNames(): string[] {
    return [...this.#tables.keys()]
  }

  columnNames(table: string): string[] {
    return (this.#tables.get(table)?.columns ?? []).map(({ name }) => name)
  }

  /** Somebody drops a table, whoever reads it. */
  forget(name: string): void {
    this.#tables.delete(name)
  }

  describe(name: string): LiveTable | null {
    const table = this.#tables.get(name)
    return table === undefined ? null : liveTable(table)
  }

  /** What follows a column's value so that it compares as in the table. */
  collationOf(table: string, column: string): string {
    const found = this.#tables.get(table)?.columns.find(({ name }) => name === column)
    return found === undefined ? '' : collationOf(found)
  }

  /** As PostgreSQL's adapter says it: the clock less the lag, and never past a transaction that is open. */
  settledUntil(lagSeconds: number, { unseenLagSeconds }: SettledOptions, own: MemoryTransaction | null): Settled {
    const { now, exact, replayedUntil } = this.options
    const micros = (milliseconds: number) => BigInt(milliseconds) * 1000n
    const starts = [...this.#open]
      .filter((open) => open !== own && open.snapshot === null)
      .map(({ startedAt }) => startedAt)
    const oldest = exact && starts.length > 0 ? micros(Math.min(...starts)) : null
    const reason = exact ? null : 'other sessions cannot be seen'
    const replayed = replayedUntil === undefined ? null : micros(replayedUntil())
    return settled({ now: micros(now()), oldest, replayed, reason }, lagSeconds, unseenLagSeconds)
  }
}

function rowOf(table: MemoryTable, data: string): Row {
  const values: unknown[] = JSON.parse(data)
  const text = (value: unknown): Text => (value === null || value === undefined ? null : canonical(String(value)))
  return Object.fromEntries(table.columns.map(({ name }, at) => [name, text(values[at])]))
}
