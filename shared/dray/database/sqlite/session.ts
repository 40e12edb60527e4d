import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { TerminalError } from '#dray/errors.ts'
import type { Bound, QueryResult } from '../adapter.ts'
import { RowTooLarge } from '../row-too-large.ts'
import { counted } from './counted-definitions.ts'
import { isBusy } from './translate.ts'
import type { Place } from './url.ts'
import { defineTextCheck, isSuspect, requireUtf8 } from './valid-text.ts'
import { boundOf, type Stored, textsOf } from './values.ts'

/** How long a writer waits for another one. The wait does not block the process, except for the native part. */
const BUSY_MILLISECONDS = 10_000
const NATIVE_BUSY_MILLISECONDS = 50

const WRITES = /^\s*(?:insert|update|delete|replace)\b/i
const WRITES_BELOW = /^\s*with\b[\s\S]*\b(?:insert|update|delete)\b/i

/** One open file, with every value as exact text. */
export class SqliteSession {
  readonly place: Place
  readonly database: DatabaseSync

  constructor(place: Place) {
    this.place = place
    this.database = new DatabaseSync(place.path, {
      readOnly: place.readOnly,
      timeout: NATIVE_BUSY_MILLISECONDS,
      readBigInts: true,
      returnArrays: true,
    })
    defineTextCheck(this.database)
  }

  /** Readers and a writer at the same time. The file keeps this mode. */
  async useWriteAheadLog(): Promise<void> {
    if (this.place.readOnly || this.place.path === ':memory:') return
    if (this.rows('PRAGMA journal_mode')[0]?.[0] === 'wal') return
    await this.patiently(() => this.database.exec('PRAGMA journal_mode = WAL'))
  }

  close(): void {
    if (this.database.isOpen) this.database.close()
  }

  /** Runs every statement of the text; the last one's answer is returned. */
  run(sql: string, parameters: readonly Bound[] = []): QueryResult {
    let rest = sql
    for (;;) {
      const statement = this.database.prepare(rest)
      const length = statement.sourceSQL.length
      const next = rest.slice(length).replace(/^[\s;]+/, '')
      if (next !== '' && !isComment(next)) {
        if (parameters.length > 0) {
          throw new TerminalError('Several statements cannot share bound values, so none was run; run them one by one')
        }
        this.#runOne(statement, rest, [])
        rest = next
      } else return this.#runOne(statement, rest, parameters)
    }
  }

  #runOne(statement: StatementSync, sql: string, parameters: readonly Bound[]): QueryResult {
    const values = parameters.map(boundOf)
    const columns = statement.columns().map((column) => column.name)
    const writes = WRITES.test(sql) || WRITES_BELOW.test(sql)
    if (columns.length === 0) {
      const { changes } = counted(this.database, sql, () => statement.run(...values))
      return { columns, rows: [], affected: writes ? Number(changes) : 0 }
    }
    const stored = statement.all(...values) as unknown as Stored[][]
    if (!writes && stored.some(isSuspect)) this.requireUtf8(sql, values, columns)
    const rows = stored.map(textsOf)
    const affected = writes && /\breturning\b/i.test(sql) ? Number(this.rows('SELECT changes()')[0]?.[0]) : 0
    return { columns, rows, affected }
  }

  /** Throws when a result holds text that node:sqlite would change. */
  requireUtf8(sql: string, parameters: readonly Bound[], columns?: readonly string[]): void {
    const names =
      columns ??
      this.database
        .prepare(sql)
        .columns()
        .map((column) => column.name)
    requireUtf8(this.database, `Database ${this.place.name} (${this.place.path})`, sql, parameters, names)
  }

  rows(sql: string, parameters: readonly Bound[] = []): QueryResult['rows'] {
    return (this.database.prepare(sql).all(...parameters) as unknown as Stored[][]).map(textsOf)
  }

  iterate(sql: string, parameters: readonly Bound[]): Iterator<Stored[]> {
    return this.database.prepare(sql).iterate(...parameters.map(boundOf)) as unknown as Iterator<Stored[]>
  }

  /**
   * Has rows with a value of more than an equal share of so many bytes refused until the returned function is called;
   * SQLite does so before it reads the value.
   */
  limitValues(sql: string, mostBytes: number): () => void {
    const { limits } = this.database as DatabaseSync & { readonly limits?: { length: number } }
    if (limits === undefined) {
      // Of a Node that cannot set it; a file that is no longer than a row holds no longer row.
      const [size] = this.rows('SELECT page_count * page_size FROM pragma_page_count, pragma_page_size')
      if (Number(size?.[0]) > mostBytes) throw new RowTooLarge(this.place.name, mostBytes)
      return () => {}
    }
    const { length } = limits
    limits.length = Math.floor(mostBytes / this.database.prepare(sql).columns().length)
    return () => {
      limits.length = length
    }
  }

  /**
   * Again and again while another writer holds the lock, ten seconds at most; for what did nothing when it was refused.
   */
  async patiently<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    const end = performance.now() + BUSY_MILLISECONDS
    for (let pause = 2; ; pause = Math.min(pause * 2, 100)) {
      try {
        return work()
      } catch (error) {
        if (!isBusy(error) || performance.now() > end || signal?.aborted) throw error
        await wait(pause)
      }
    }
  }
}

function isComment(sql: string): boolean {
  return /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*(?:\*\/|$))*$/.test(sql)
}
