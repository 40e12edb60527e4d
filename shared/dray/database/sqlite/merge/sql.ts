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

  constructor(target: MergeTarget, live: LiveTable, key: UniqueKey | null) {
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
    return `DROP TABLE IF EXISTS ${this.#temporary}; CREATE TEMP TABLE ${ROWS} (dray_ordinal INTEGER PRIMARY KEY, ${columns.join(', ')})`
  }

  get #temporary(): string {
    return `temp.${ROWS}`
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

  /** How many rows there are, and how many of them have a row of their key in the table. */
  count(): string {
    const matched = this.#key === null ? '0' : this.#exists(this.#sameKey('t', 's'))
    return `SELECT count(*), coalesce(sum(${matched}), 0) FROM ${this.#temporary} s`
  }

  /** Rows whose key comes more than once for the table, each with the last row of its key. */
  sameKeys(): string | null {
    if (this.#key === null) return null
    const { columns, collations } = this.#key
    const parts = columns.map((column, index) => `${quote(column)} COLLATE ${quote(collations[index] as string)}`)
    const values = columns.map((column) => `${quote(column)} IS NOT NULL`).join(' AND ')
    return `SELECT place, last FROM (SELECT dray_ordinal AS place, max(dray_ordinal) OVER w AS last, count(*) OVER w AS same_key
        FROM ${this.#temporary} WHERE ${values} WINDOW w AS (PARTITION BY ${parts.join(', ')})) WHERE same_key > 1`
  }

  /** Takes rows out that the table holds as they are, or in a newer version: nothing is written, no trigger fires. */
  removeUnchanged(): string | null {
    if (this.#target.mode === 'insert' || this.#key === null) return null
    const changed = this.#changed('s')
    const held = changed === null ? this.#sameKey('t', 's') : `${this.#sameKey('t', 's')} AND (${changed}) IS NOT 1`
    return `DELETE FROM ${this.#temporary} AS s WHERE ${this.#exists(held)}`
  }

  /** Rows whose key is not in the table after the write. */
  lost(where = EVERY_ROW): string | null {
    if (this.#key === null) return null
    const values = this.#key.columns.map((column) => `s.${quote(column)} IS NOT NULL`).join(' AND ')
    return `SELECT dray_ordinal FROM ${this.#temporary} s WHERE ${where} AND ${values} AND NOT ${this.#exists(this.#sameKey('t', 's'))}`
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

  /** Rows whose key the table has in another spelling, and that spelling. */
  spelledOtherwise(): string | null {
    if (this.#key === null || this.#key.collations.every((collation) => collation === 'BINARY')) return null
    const spelling = this.#key.columns.map((column) => `t.${quote(column)}`).join(', ')
    return `SELECT dray_ordinal, ${spelling} FROM ${this.#temporary} s JOIN ${quoteTable(this.#target.table)} t
      ON ${this.#sameKey('t', 's')} AND NOT ${this.#sameBytes()}`
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
    const { columns, key, counter, respell } = this.#target
    const changed = this.#changed('excluded')
    if (changed === null) return null
    const written = columns.filter((column) => respell || !key.includes(column))
    const counted = counter === undefined ? [] : [`${quote(counter)} = t.${quote(counter)} + 1`]
    const set = [...written.map((column) => `${quote(column)} = excluded.${quote(column)}`), ...counted]
    return `UPDATE SET ${set.join(', ')} WHERE ${changed}`
  }

  /** Whether a row makes its row in the table another one; null where it never does. */
  #changed(row: string): string | null {
    const { columns, key, ignore = [], version, respell } = this.#target
    const compared = columns.filter((column) => (key.includes(column) ? respell : !ignore.includes(column))).map(quote)
    if (compared.length === 0) return null
    const differs = anyOf(compared.map((column) => `t.${column} IS NOT ${row}.${column} COLLATE BINARY`))
    const guard =
      version === undefined
        ? ''
        : ` AND (t.${quote(version)} IS NULL OR ${row}.${quote(version)} >= t.${quote(version)})`
    return `(${differs})${guard}`
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

/** Conditions as a tree of few levels: SQLite takes 1,000 at most. */
function anyOf(conditions: readonly string[]): string {
  if (conditions.length <= 2) return conditions.join(' OR ')
  const half = Math.ceil(conditions.length / 2)
  return `(${anyOf(conditions.slice(0, half))}) OR (${anyOf(conditions.slice(half))})`
}
