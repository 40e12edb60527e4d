import type { MergeTarget } from '../../adapter.ts'
import { quote, quoteTable } from '../names.ts'
import type { Merging } from './merging.ts'
import { losing, type NarrowColumn } from './narrow-columns.ts'
import { RowConditions } from './row-conditions.ts'

/** A set of rows to merge: a SELECT of the target's columns. `where` is added to its condition. */
export interface Rows {
  /** A SELECT of how many they are, and how many more come before them with the same keys. */
  readonly count: string
  /** In the order of the key, for rows that are inserted; to be found by their key they need none. */
  select(where: string, order?: 'ordered' | 'any'): string
}

/** The statements of one merge through one temporary table. */
export class MergeSql {
  readonly target: string
  /** Rows of the same key are distinguished. */
  readonly keyed: boolean
  readonly #merge: MergeTarget
  readonly #temporary: string
  readonly #columns: string
  readonly #narrow: readonly NarrowColumn[]
  /** The columns, of the target's types again. */
  readonly selected: string
  readonly conditions: RowConditions
  readonly #key: readonly string[]

  constructor(merging: Merging, temporary: string) {
    const { target: merge, narrow } = merging
    this.#merge = merge
    this.#temporary = temporary
    this.target = quoteTable(merge.table)
    this.#narrow = narrow
    this.conditions = new RowConditions(merging)
    this.#columns = merge.columns.map(quote).join(', ')
    this.selected = this.#cast(({ type }) => type)
    this.#key = merge.key.map(quote)
    this.keyed = merge.key.length > 0 && merge.key.every((column) => merge.columns.includes(column))
  }

  #cast(type: (narrow: NarrowColumn) => string): string {
    const casts = this.#merge.columns.map((column) => {
      const narrow = this.#narrow.find((candidate) => candidate.column === column)
      return narrow === undefined ? quote(column) : `${quote(column)}::${type(narrow)} AS ${quote(column)}`
    })
    return casts.join(', ')
  }

  get #upsert(): boolean {
    return this.#merge.mode !== 'insert'
  }

  /**
   * With the target's types, so that COPY refuses what the target would, or wider ones where the target would change
   * values. A row without a key can never be merged.
   */
  createTable(...more: readonly string[]): string {
    const notNull = this.#upsert ? this.#key.map((column) => `ALTER ${column} SET NOT NULL`) : []
    const changes = [...notNull, ...more]
    const staged = this.#cast(({ wide }) => wide)
    const create = `CREATE TEMPORARY TABLE ${this.#temporary.replace('pg_temp.', '')} ON COMMIT DROP AS SELECT ${staged} FROM ${this.target} WITH NO DATA`
    return changes.length === 0 ? create : `${create}; ALTER TABLE ${this.#temporary} ${changes.join(', ')}`
  }

  copy(): string {
    return `COPY ${this.#temporary} (${this.#columns}) FROM STDIN`
  }

  /** How many keys there are, how many rows come again, and whether a column would change a value. */
  look(): string {
    const condition = losing(this.#narrow)
    const loses = condition === null ? 'false' : `EXISTS (SELECT 1 FROM ${this.#temporary} WHERE ${condition})`
    return `SELECT c.*, ${loses} FROM (${this.lastOfEachKey().count}) c`
  }

  /** Without it the planner takes the rows for few and looks each of them up. */
  analyze(): string {
    return `ANALYZE ${this.#temporary} (${this.#key.join(', ')})`
  }

  /** The last row of each key, in the order of the key. A table that one COPY filled is in the order of its input. */
  lastOfEachKey(): Rows {
    const from = `FROM ${this.#temporary} s`
    if (!this.keyed) {
      return {
        count: `SELECT count(*), 0 ${from}`,
        select: (where) => `SELECT ${this.selected} ${from} WHERE ${where} ORDER BY ctid`,
      }
    }
    const distinct = this.distinctKey('ctid')
    return {
      count: `SELECT count(*), COALESCE(sum(n - 1), 0) FROM (SELECT count(*) AS n ${from} GROUP BY ${distinct}) k`,
      select: (where) =>
        `SELECT DISTINCT ON (${distinct}) ${this.selected} ${from} WHERE ${where} ORDER BY ${distinct}, ctid DESC`,
    }
  }

  /** Every row, where no key comes twice. */
  eachRow(count: number): Rows {
    const from = `FROM ${this.#temporary} s`
    const ordered = ` ORDER BY ${this.keyed ? this.#key.join(', ') : 'ctid'}`
    return {
      count: `SELECT ${count}, 0`,
      select: (where, order = 'ordered') =>
        `SELECT ${this.selected} ${from} WHERE ${where}${order === 'ordered' ? ordered : ''}`,
    }
  }

  /** What makes rows the same: the key; a key with a NULL in it is like no other. */
  distinctKey(place: string): string {
    if (this.#upsert) return this.#key.join(', ')
    const isNull = this.#key.map((column) => `${column} IS NULL`).join(' OR ')
    return `${this.#key.join(', ')}, CASE WHEN ${isNull} THEN ${place} END`
  }

  /**
   * Updates what differs and inserts what is absent, both as of one snapshot, and counts as `countsOf` reads it. The
   * order of the select has its rows found before the first is inserted. A key that another transaction inserts
   * meanwhile is refused as a duplicate; the next attempt sees it.
   */
  merge(rows: Rows): string {
    const insert = `INSERT INTO ${this.target} (${this.#columns}) OVERRIDING SYSTEM VALUE`
    if (!this.#upsert) {
      return `WITH dray_i AS (${insert} ${rows.select('true')} RETURNING 1) SELECT c.*, (SELECT count(*) FROM dray_i), 0, 0 FROM (${rows.count}) c`
    }
    const { sameKey, isUnchanged } = this.conditions
    const update = this.#update(rows)
    return `WITH ${update === null ? '' : `dray_u AS (${update}), `}dray_i AS (${insert} ${rows.select(`NOT ${this.present()}`)} RETURNING 1)
      SELECT c.*, (SELECT count(*) FROM dray_i), ${update === null ? '0' : '(SELECT count(*) FROM dray_u)'},
        (SELECT count(*) FROM (${rows.select('true', 'any')}) s JOIN ${this.target} t ON ${sameKey} WHERE ${isUnchanged})
      FROM (${rows.count}) c`
  }

  #update(rows: Rows): string | null {
    const { isChanged, assignments, sameKey } = this.conditions
    if (isChanged === null) return null
    return `UPDATE ${this.target} t SET ${assignments.join(', ')} FROM (${rows.select('true', 'any')}) s
      WHERE ${sameKey} AND ${isChanged} RETURNING 1`
  }

  /** How many of these rows the table does not have after they were written: a trigger has changed their key. */
  missing(select: string): string {
    const isKeyed = this.#key.map((column) => `s.${column} IS NOT NULL`).join(' AND ')
    return `SELECT count(*) FROM (${select}) s WHERE ${isKeyed} AND NOT ${this.present()}`
  }

  /** Rows whose key the table has. */
  present(): string {
    return `EXISTS (SELECT 1 FROM ${this.target} t WHERE ${this.conditions.sameKey})`
  }

  /**
   * The same by one join, for servers that can. The target's rows are locked and changed as they are found, so that no
   * order of the rows is needed but for a key's place in the index. MERGE returns nothing of a row that it leaves
   * alone, so that such a row takes a number of a sequence, once; to look for these rows again costs twice as much.
   */
  mergeByOneJoin(rows: Rows, order: 'ordered' | 'any', unchanged: string): string {
    const { sameKey, sameSpelling, changesByColumn, assignments } = this.conditions
    const isUpdated = `CASE WHEN ${sameSpelling === null ? 'false' : `NOT (${sameSpelling})`} THEN false
      WHEN ${changesByColumn ?? 'false'} THEN true ELSE nextval('${unchanged}') IS NULL END`
    const action = changesByColumn === null ? 'DO NOTHING' : `UPDATE SET ${assignments.join(', ')}`
    const values = this.#merge.columns.map((column) => `s.${quote(column)}`).join(', ')
    return `WITH dray_m AS (MERGE INTO ${this.target} t USING (${rows.select('true', order)}) s ON ${sameKey}
      WHEN MATCHED AND ${isUpdated} THEN ${action}
      WHEN NOT MATCHED THEN INSERT (${this.#columns}) OVERRIDING SYSTEM VALUE VALUES (${values})
      RETURNING merge_action() = 'INSERT' AS inserted)
      SELECT c.*, i.* FROM (${rows.count}) c,
        (SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM dray_m) i`
  }

  /**
   * `merge` of rows that have a rank: it also names the ranks that are in none of its counts. Null where rows cannot be
   * told apart.
   */
  mergeNaming(table: string, where: string, rank: string): string | null {
    if (!this.keyed) return null
    const ranked = (more: string, columns: string) =>
      `SELECT ${columns}${this.selected} FROM ${table} s WHERE ${where} AND ${more} ORDER BY ${rank}`
    const ofRanks = ranked('true', `${rank}, `)
    const { sameKey, isUnchanged, assignments, isChanged } = this.conditions
    const key = this.#key.join(', ')
    const absent = this.#upsert ? `NOT ${this.present()}` : 'true'
    const none = 'SELECT NULL::bigint AS rank WHERE false'
    const updated =
      this.#upsert && isChanged !== null
        ? `UPDATE ${this.target} t SET ${assignments.join(', ')} FROM (${ofRanks}) s
            WHERE ${sameKey} AND ${isChanged} RETURNING s.${rank} AS rank`
        : none
    const unchanged = this.#upsert
      ? `SELECT s.${rank} AS rank FROM (${ofRanks}) s JOIN ${this.target} t ON ${sameKey} WHERE ${isUnchanged}`
      : none
    const inserted = this.#key.map((column) => `dray_i.${column} = s.${column}`).join(' AND ')
    return `WITH dray_u AS (${updated}), dray_n AS MATERIALIZED (${unchanged}),
        dray_i AS (INSERT INTO ${this.target} (${this.#columns}) OVERRIDING SYSTEM VALUE ${ranked(absent, '')} RETURNING ${key})
      SELECT (SELECT count(*) FROM dray_i), (SELECT count(*) FROM dray_u), (SELECT count(*) FROM dray_n), array_to_string(ARRAY(
        SELECT s.${rank} FROM (${ofRanks}) s WHERE NOT EXISTS (SELECT 1 FROM dray_u WHERE dray_u.rank = s.${rank})
          AND NOT EXISTS (SELECT 1 FROM dray_n WHERE dray_n.rank = s.${rank}) AND NOT EXISTS (SELECT 1 FROM dray_i WHERE ${inserted})), ',')`
  }

  createSequence(sequence: string): string {
    return `CREATE TEMPORARY SEQUENCE ${sequence.replace('pg_temp.', '')} MINVALUE 0 START 0`
  }

  /** How many numbers of it were taken. */
  taken(sequence: string): string {
    return `SELECT CASE WHEN is_called THEN last_value + 1 ELSE 0 END FROM ${sequence}`
  }
}
