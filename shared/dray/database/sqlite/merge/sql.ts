import type { LiveTable, MergeTarget } from '../../adapter.ts'
import { type Affinity, affinityOf } from '../affinity.ts'
import type { UniqueKey } from '../describe.ts'
import { quote, quoteTable } from '../names.ts'

const ROWS = 'dray_rows'
/** Not `true`: that would be a column of this name, when there is one. */
export const EVERY_ROW = '1'

/** The statements of one merge through the temporary table. */
export class MergeSql {
  readonly #target: MergeTarget
  readonly #live: LiveTable
  /** The unique key to merge by; null when rows are only inserted and have no key among their columns. */
  readonly #key: UniqueKey | null
  readonly #columns: string
  readonly #name: string

  constructor(target: MergeTarget, live: LiveTable, key: UniqueKey | null, name = ROWS) {
    this.#name = name
    this.#target = target
    this.#live = live
    this.#key = key
    this.#columns = target.columns.map(quote).join(', ')
  }

  /** Columns of the same affinity, so that values are stored and compared as in the target. */
  createTable(): string {
    const columns = this.#target.columns.map((column) => {
      const affinity = this.#affinityOf(column)
      return `${quote(column)} ${affinity === 'BLOB' ? '' : affinity}`
    })
    // The last row of a key takes the place of the one before.
    const unique = this.#key === null ? '' : `, UNIQUE (${this.#key.columns.map(quote).join(', ')}) ON CONFLICT REPLACE`
    return `DROP TABLE IF EXISTS ${this.#temporary}; CREATE TEMP TABLE ${this.#name} (dray_ordinal INTEGER PRIMARY KEY, ${columns.join(', ')}${unique})`
  }

  get #temporary(): string {
    return `temp.${this.#name}`
  }

  #affinityOf(column: string): Affinity {
    return affinityOf(this.#live.columns.find(({ name }) => name === column)?.type ?? '')
  }

  dropTable(): string {
    return `DROP TABLE ${this.#temporary}`
  }

  fill(rows: number): string {
    const row = `(?${', ?'.repeat(this.#target.columns.length)})`
    return `INSERT INTO ${this.#temporary} (dray_ordinal, ${this.#columns}) VALUES ${Array(rows).fill(row).join(', ')}`
  }

  remove(): string {
    return `DELETE FROM ${this.#temporary} WHERE dray_ordinal = ?`
  }

  count(): string {
    return `SELECT count(*) FROM ${this.#temporary}`
  }

  ordinals(): string {
    return `SELECT dray_ordinal FROM ${this.#temporary} ORDER BY dray_ordinal`
  }

  /** How many of the rows have a row of their key in the table. */
  matched(where = EVERY_ROW): string {
    const matched = this.#key === null ? '0' : this.#exists(this.#sameKey('t', 's'))
    return `SELECT count(*) FROM ${this.#temporary} s WHERE ${where} AND ${matched}`
  }

  present(): string | null {
    if (this.#target.mode !== 'insert' || this.#key === null) return null
    return `SELECT dray_ordinal FROM ${this.#temporary} s WHERE ${this.#exists(this.#sameKey('t', 's'))}`
  }

  /** Rows whose key equals another row's under the collation, in the input or in the table, but not byte by byte. */
  equalKeys(): string {
    const other = `${this.#sameKey('t', 's')} AND NOT ${this.#sameBytes()}`
    return `SELECT dray_ordinal FROM ${this.#temporary} s WHERE ${this.#exists(other)}
      OR EXISTS (SELECT 1 FROM ${this.#temporary} t WHERE ${other})`
  }

  /** Rows of another temporary table (all of the input) that come before a row of this one with the same key. */
  earlier(others: string): string {
    const sameKey = (this.#key?.columns ?? []).map((column) => `e.${quote(column)} = s.${quote(column)}`).join(' AND ')
    return `SELECT s.dray_ordinal, e.dray_ordinal FROM temp.${others} e JOIN ${this.#temporary} s ON ${sameKey} AND e.dray_ordinal < s.dray_ordinal
      WHERE s.dray_ordinal IN (SELECT value FROM json_each(?)) ORDER BY e.dray_ordinal DESC`
  }

  merge(where: string): string {
    const { table, mode } = this.#target
    const insert = `INSERT OR ABORT INTO ${quoteTable(table)} (${this.#columns})
      SELECT ${this.#columns} FROM ${this.#temporary} s WHERE ${where} ORDER BY dray_ordinal`
    if (mode === 'insert' || this.#key === null) return insert
    const conflict = `ON CONFLICT (${this.#key.columns.map(quote).join(', ')})`
    const update = this.#update()
    return `${insert.replace(`INTO ${quoteTable(table)}`, `INTO ${quoteTable(table)} AS t`)} ${conflict} DO ${update ?? 'NOTHING'}`
  }

  #update(): string | null {
    const { columns, key, ignore = [], version, counter } = this.#target
    const written = columns.filter((column) => !key.includes(column))
    const compared = written.filter((column) => !ignore.includes(column)).map(quote)
    if (compared.length === 0) return null
    const differs = compared.map((column) => `t.${column} IS NOT excluded.${column} COLLATE BINARY`).join(' OR ')
    const guard =
      version === undefined
        ? ''
        : ` AND (t.${quote(version)} IS NULL OR excluded.${quote(version)} >= t.${quote(version)})`
    const counted = counter === undefined ? [] : [`${quote(counter)} = t.${quote(counter)} + 1`]
    const set = [...written.map((column) => `${quote(column)} = excluded.${quote(column)}`), ...counted]
    return `UPDATE SET ${set.join(', ')} WHERE (${differs})${guard}`
  }

  #exists(condition: string): string {
    return `EXISTS (SELECT 1 FROM ${quoteTable(this.#target.table)} t WHERE ${condition})`
  }

  #sameKey(left: string, right: string): string {
    const { columns = [], collations = [] } = this.#key ?? {}
    return columns
      .map((column, index) => {
        const collation = this.#affinityOf(column) === 'TEXT' ? ` COLLATE ${quote(collations[index] as string)}` : ''
        return `${left}.${quote(column)} = ${right}.${quote(column)}${collation}`
      })
      .join(' AND ')
  }

  #sameBytes(): string {
    const columns = this.#key?.columns ?? []
    return `(${columns.map((column) => `t.${quote(column)} = s.${quote(column)} COLLATE BINARY`).join(' AND ')})`
  }
}
