import { versionGuard } from '#dray/database/merge/version-guard.ts'
import type { LiveTable, MergeTarget } from '../../adapter.ts'
import { type Affinity, affinityOf } from '../affinity.ts'
import type { UniqueKey } from '../describe.ts'
import { quote, quoteTable } from '../names.ts'
import type { DeferredKey, SelfReference } from './target-table.ts'

const ROWS = 'dray_rows'
/** The place of a staged row: no column of a model is called so. */
export const ORDINAL = '"dray$ordinal"'
const RANKS = 'temp.dray_ranks'

/** The statements of one merge through the temporary table. */
export class MergeSql {
  readonly #target: MergeTarget
  readonly #live: LiveTable
  /** The unique key to merge by; null when rows are only inserted and have no key among their columns. */
  readonly #key: UniqueKey | null
  readonly #columns: string
  readonly #name: string
  /** Of columns that compare by another collation than that of bytes. */
  readonly #collations: ReadonlyMap<string, string>
  #isRanked = false

  constructor(
    target: MergeTarget,
    live: LiveTable,
    key: UniqueKey | null,
    name = ROWS,
    collations: ReadonlyMap<string, string> = new Map(),
  ) {
    this.#name = name
    this.#collations = collations
    this.#target = target
    this.#live = live
    this.#key = key
    this.#columns = target.columns.map(quote).join(', ')
  }

  /** Columns of the same affinity, so that values are stored and compared as in the target. */
  createTable(): string {
    const columns = this.#target.columns.map((column) => {
      const affinity = this.#affinityOf(column)
      const collation = this.#collations.get(column)
      const collate = collation === undefined ? '' : ` COLLATE ${quote(collation)}`
      return `${quote(column)} ${affinity === 'BLOB' ? '' : affinity}${collate}`
    })
    // The last row of a key takes the place of the one before.
    const key = this.#key?.columns.map((column, index) => `${quote(column)}${this.#collate(column, index)}`)
    const unique = key === undefined ? '' : `, UNIQUE (${key.join(', ')}) ON CONFLICT REPLACE`
    return `DROP TABLE IF EXISTS ${this.#temporary}; CREATE TEMP TABLE ${this.#name} (${ORDINAL} INTEGER PRIMARY KEY, ${columns.join(', ')}${unique})`
  }

  get #temporary(): string {
    return `temp.${this.#name}`
  }

  #affinityOf(column: string): Affinity {
    return affinityOf(this.#live.columns.find(({ name }) => name === column)?.type ?? '')
  }

  dropTable(): string {
    return `DROP TABLE ${this.#temporary}${this.#isRanked ? `; DROP TABLE ${RANKS}` : ''}`
  }

  /**
   * Puts parents before the rows that refer to them by a key of the table to itself: for each parent that is written
   * while some row lacks its own, SQLite looks for rows that refer to it, through the whole table without an index.
   */
  rank({ columns, referred }: SelfReference): string {
    this.#isRanked = true
    const rows = this.#temporary
    const refers = columns.map((column, at) => `c.${quote(column)} = p.${quote(referred[at] ?? '')}`).join(' AND ')
    const isOther = `c.${ORDINAL} <> p.${ORDINAL}`
    const index = (name: string, names: readonly string[]) =>
      `CREATE INDEX temp.${name} ON ${this.#name} (${names.map(quote).join(', ')})`
    return `DROP TABLE IF EXISTS ${RANKS};
      CREATE TABLE ${RANKS} (dray_rank INTEGER PRIMARY KEY, dray_place INTEGER UNIQUE);
      ${index('dray_referring', columns)}; ${index('dray_referred', referred)};
      WITH RECURSIVE tree (dray_place) AS (
        SELECT c.${ORDINAL} FROM ${rows} c WHERE NOT EXISTS (SELECT 1 FROM ${rows} p WHERE ${refers} AND ${isOther})
        UNION ALL
        SELECT c.${ORDINAL} FROM tree
          CROSS JOIN ${rows} p ON p.${ORDINAL} = tree.dray_place CROSS JOIN ${rows} c ON ${refers} AND ${isOther})
      INSERT OR IGNORE INTO ${RANKS} (dray_place) SELECT dray_place FROM tree`
  }

  fill(rows: number): string {
    const row = `(?${', ?'.repeat(this.#target.columns.length)})`
    return `INSERT INTO ${this.#temporary} (${ORDINAL}, ${this.#columns}) VALUES ${Array(rows).fill(row).join(', ')}`
  }

  remove(): string {
    return `DELETE FROM ${this.#temporary} WHERE ${ORDINAL} = ?`
  }

  count(): string {
    return `SELECT count(*) FROM ${this.#temporary}`
  }

  ordinals(): string {
    return `SELECT ${ORDINAL} FROM ${this.#temporary} ORDER BY ${ORDINAL}`
  }

  present(): string | null {
    if (this.#target.mode !== 'insert' || this.#key === null) return null
    return `SELECT ${ORDINAL} FROM ${this.#temporary} s WHERE ${this.#exists()}`
  }

  /** Rows whose key the table has, equal under its collation, but not byte by byte; with that one. */
  storedOtherwise(): string | null {
    if (!this.#isSpelled || this.#target.mode === 'insert' || this.#target.respell === true) return null
    return this.stored(`NOT ${this.#sameBytes}`)
  }

  /** Rows of another temporary table (all of the input), each with the later one of its key that took its place. */
  earlier(others: string): string {
    return `SELECT s.${ORDINAL}, e.${ORDINAL} FROM temp.${others} e CROSS JOIN ${this.#temporary} s
      ON ${this.#sameKey('e', 's')} AND e.${ORDINAL} < s.${ORDINAL} ORDER BY e.${ORDINAL} DESC`
  }

  insert(where: string): string {
    const { table } = this.#target
    const ranks = this.#isRanked ? ` LEFT JOIN ${RANKS} ON dray_place = ${ORDINAL}` : ''
    const first = this.#isRanked ? 'dray_rank IS NULL, dray_rank, ' : ''
    return `INSERT OR ABORT INTO ${quoteTable(table)} (${this.#columns})
      SELECT ${this.#columns} FROM ${this.#temporary} s${ranks} WHERE ${where} ORDER BY ${first}${ORDINAL}`
  }

  /** Writes rows that the table does not have. */
  insertNew(where: string): string {
    return this.insert(`${where} AND NOT ${this.#exists()}`)
  }

  /** How many rows the table has, and how many of those are to stay as they are. */
  look(where: string): string {
    return `SELECT count(*), COALESCE(sum((${this.#changes}) IS NOT 1), 0) FROM ${this.#both} WHERE ${where}`
  }

  /** How many of these rows the table does not have after they were written: a trigger has changed their key. */
  missing(where: string): string {
    const isKeyed = (this.#key?.columns ?? []).map((column) => `s.${quote(column)} IS NOT NULL`).join(' AND ')
    return `SELECT count(*) FROM ${this.#temporary} s WHERE ${where} AND ${isKeyed} AND NOT ${this.#exists()}`
  }

  /** Writes rows that the table has, in another form; null where there is nothing to write but the key. */
  update(where: string): string | null {
    const { table, counter } = this.#target
    const written = this.#written
    if (written.length === 0) return null
    const counted = counter === undefined ? [] : [`${quote(counter)} = t.${quote(counter)} + 1`]
    const set = [...written.map((column) => `${quote(column)} = s.${quote(column)}`), ...counted]
    // The plus keeps SQLite from reading the whole table to look its rows up among these.
    return `UPDATE OR ABORT ${quoteTable(table)} AS t SET ${set.join(', ')} FROM ${this.#temporary} s
      WHERE ${this.#sameKey('t', '+s')} AND ${where} AND ${this.#changes}`
  }

  /** The rows whose foreign key refers to nothing. */
  orphans(where: string, { columns, parent, referred }: DeferredKey): string {
    const [from, row] = this.#key === null ? [`${this.#temporary} s`, 's'] : [this.#both, 't']
    const given = columns.map((column) => `${row}.${quote(column)} IS NOT NULL`).join(' AND ')
    const same = columns.map((column, at) => `p.${quote(referred[at] ?? '')} = ${row}.${quote(column)}`).join(' AND ')
    return `SELECT s.${ORDINAL} FROM ${from} WHERE ${where} AND ${given} AND NOT EXISTS (SELECT 1 FROM ${quoteTable(parent)} p WHERE ${same})`
  }

  /** The places of rows, each with its key in the table. */
  stored(where: string): string {
    return `SELECT s.${ORDINAL}, ${this.#storedKey} FROM ${this.#both} WHERE ${where}`
  }

  /** The places of rows, each with the key of the table's row that has its values of another unique key. */
  taken({ columns, collations }: UniqueKey, where: string): string {
    const same = columns.map(
      (column, at) => `t.${quote(column)} = s.${quote(column)} COLLATE ${quote(collations[at] ?? '')}`,
    )
    return `SELECT s.${ORDINAL}, ${this.#storedKey}
      FROM ${this.#temporary} s CROSS JOIN ${quoteTable(this.#target.table)} t ON ${same.join(' AND ')} WHERE ${where}`
  }

  get #storedKey(): string {
    return (this.#key?.columns ?? []).map((column) => `t.${quote(column)}`).join(', ')
  }

  clear(columns: readonly string[], where: string): string {
    const set = columns.map((column) => `${quote(column)} = NULL`).join(', ')
    return `UPDATE OR ABORT ${quoteTable(this.#target.table)} SET ${set} WHERE ${this.#among(where)}`
  }

  delete(where: string): string {
    return `DELETE FROM ${quoteTable(this.#target.table)} WHERE ${this.#among(where)}`
  }

  #among(where: string): string {
    const columns = this.#key?.columns ?? []
    return `(${columns.map(quote).join(', ')}) IN (SELECT ${this.#storedKey} FROM ${this.#both} WHERE ${where})`
  }

  get #both(): string {
    return `${this.#temporary} s CROSS JOIN ${quoteTable(this.#target.table)} t ON ${this.#sameKey('t', 's')}`
  }

  #exists(): string {
    if (this.#key === null) return '0'
    return `EXISTS (SELECT 1 FROM ${quoteTable(this.#target.table)} t WHERE ${this.#sameKey('t', 's')})`
  }

  get #written(): readonly string[] {
    const { columns, key, respell } = this.#target
    return columns.filter((column) => !key.includes(column) || (respell === true && this.#isSpelled))
  }

  /** Whether a row of the table is to be written. */
  get #changes(): string {
    const { key, ignore = [] } = this.#target
    const compared = this.#written.filter((column) => key.includes(column) || !ignore.includes(column)).map(quote)
    const differs = compared.map((column) => `t.${column} IS NOT s.${column} COLLATE BINARY`).join(' OR ')
    const guard = versionGuard(this.#target, { stored: 't', given: 's', quote })
    return `(${differs || '0'})${guard === null ? '' : ` AND ${guard}`}`
  }

  /** A key may be stored in another spelling. */
  get #isSpelled(): boolean {
    return this.#key?.collations.some((collation) => collation !== 'BINARY') === true
  }

  #sameKey(left: string, right: string): string {
    return (this.#key?.columns ?? [])
      .map((column, index) => `${left}.${quote(column)} = ${right}.${quote(column)}${this.#collate(column, index)}`)
      .join(' AND ')
  }

  #collate(column: string, index: number): string {
    const collation = this.#key?.collations[index] ?? 'BINARY'
    return this.#affinityOf(column) === 'TEXT' || collation !== 'BINARY' ? ` COLLATE ${quote(collation)}` : ''
  }

  get #sameBytes(): string {
    const columns = this.#key?.columns ?? []
    return `(${columns.map((column) => `t.${quote(column)} = s.${quote(column)} COLLATE BINARY`).join(' AND ')})`
  }
}
