import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Text } from 'dray/internal/block/block.ts'
import type { Bound, LiveTable, QueryResult, Settled, SettledOptions } from 'dray/internal/database/adapter.ts'
import { settled } from 'dray/internal/database/postgres/horizon.ts'
import { DataQualityError, TerminalError, TransientError } from 'dray/internal/errors.ts'
import {
  alterationOf,
  altered,
  canonical,
  ddlOf,
  declared,
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
}

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
  readonly #open = new Set<MemoryTransaction>()
  /** Transactions that have committed, with the number of their commit. */
  #commits = new Map<number, number>()
  #transactions = 0
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
    this.#transactions = 0
  }

  #empty(name: string): void {
    if (name.endsWith(NEXT)) this.#tables.delete(name)
    this.#sqlite.exec(`delete from ${quote(name + VERSIONS)}`)
  }

  get openTransactions(): number {
    return this.#open.size
  }

  begin(mode: 'write' | 'snapshot' = 'write'): MemoryTransaction {
    this.#transactions += 1
    const snapshot = mode === 'snapshot' ? this.#commits.size : null
    const transaction = new MemoryTransaction(this.#transactions, this.options.now(), snapshot)
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
    this.#end(transaction)
    if (transaction.changes.length > 0) this.options.onCommit(transaction.changes)
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
    this.#reader = { id: transaction.id, commits: transaction.snapshot ?? this.#commits.size }
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
    for (const change of noted) this.#apply(transaction, change)
    return { ...result, affected: noted.length }
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
      const blocked = this.locks.take(transaction, `${table.name}:${row.join('|')}`, mode)
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
      const key = table.primaryKey.length === 0 ? String(row) : table.primaryKey.map((column) => each[column]).join('|')
      const blocked = this.locks.take(transaction, `${name}:${key}`, 'exclusive')
      if (blocked !== null) return blocked
    }
    return null
  }

  #apply(transaction: MemoryTransaction, { op, table: name, row, data }: Noted): void {
    const table = this.#table(name)
    const versions = quote(name + VERSIONS)
    const before = row === null ? null : this.#version(table, row)
    const after = data === null ? null : rowOf(table, data)
    if (after !== null) this.#refuse(transaction, table, after, op === 'insert')
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
  }

  #refuse(transaction: MemoryTransaction, table: MemoryTable, row: Row, isNew: boolean): void {
    const refused = this.#problemOf(table, row)
    if (refused !== null) throw new DataQualityError(refused.column, '23514', refused.message)
    if (!isNew || table.primaryKey.length === 0) return
    if (this.liveVersion(transaction, table.name, table.primaryKey, row) === null) return
    throw new DataQualityError('', '23505', `duplicate key in ${table.name}`)
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
  put(transaction: MemoryTransaction, table: string, row: Row, replaces: number | null): void {
    const data = JSON.stringify(this.#table(table).columns.map(({ name }) => row[name] ?? null))
    this.#apply(transaction, { op: replaces === null ? 'insert' : 'update', table, row: replaces, data })
  }

  #version(table: MemoryTable, id: number): Row {
    const columns = table.columns.map(({ name }) => quote(name)).join(', ')
    const sql = `select ${columns} from ${quote(table.name + VERSIONS)} where rowid = ?`
    const [row] = this.#prepared(sql).all(id) as unknown as unknown[][]
    return Object.fromEntries(table.columns.map(({ name }, at) => [name, row?.[at] == null ? null : String(row[at])]))
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

  describe(name: string): LiveTable | null {
    const table = this.#tables.get(name)
    return table === undefined ? null : liveTable(table)
  }

  /** As PostgreSQL's adapter says it: the clock less the lag, and never past a transaction that is open. */
  settledUntil(lagSeconds: number, { unseenLagSeconds }: SettledOptions, own: MemoryTransaction | null): Settled {
    const { now, exact } = this.options
    const micros = (milliseconds: number) => BigInt(milliseconds) * 1000n
    const starts = [...this.#open]
      .filter((open) => open !== own && open.snapshot === null)
      .map(({ startedAt }) => startedAt)
    const oldest = exact && starts.length > 0 ? micros(Math.min(...starts)) : null
    const reason = exact ? null : 'other sessions cannot be seen'
    return settled({ now: micros(now()), oldest, replayed: null, reason }, lagSeconds, unseenLagSeconds)
  }
}

function rowOf(table: MemoryTable, data: string): Row {
  const values: unknown[] = JSON.parse(data)
  const text = (value: unknown): Text => (value === null || value === undefined ? null : canonical(String(value)))
  return Object.fromEntries(table.columns.map(({ name }, at) => [name, text(values[at])]))
}
