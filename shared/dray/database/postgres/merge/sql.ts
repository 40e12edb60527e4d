import type { MergeTarget } from '../../adapter.ts'
import { quote, quoteTable } from '../names.ts'
import { losing, type NarrowColumn } from './narrow-columns.ts'

/** A set of rows to merge: a SELECT of the target's columns. `where` is added to its condition. */
export interface Rows {
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
  readonly #key: readonly string[]

  constructor(merge: MergeTarget, temporary: string, narrow: readonly NarrowColumn[] = []) {
    this.#merge = merge
    this.#temporary = temporary
    this.target = quoteTable(merge.table)
    this.#narrow = narrow
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

  /** How many rows there are when each key counts once, and whether a column would change a value. */
  look(): string {
    const condition = losing(this.#narrow)
    const loses = condition === null ? 'false' : `EXISTS (SELECT 1 FROM ${this.#temporary} WHERE ${condition})`
    return `SELECT (${this.lastOfEachKey().count}), ${loses}`
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
        count: `SELECT count(*) ${from}`,
        select: (where) => `SELECT ${this.selected} ${from} WHERE ${where} ORDER BY ctid`,
      }
    }
    const distinct = this.distinctKey('ctid')
    return {
      count: `SELECT count(*) FROM (SELECT DISTINCT ${distinct} ${from}) k`,
      select: (where) =>
        `SELECT DISTINCT ON (${distinct}) ${this.selected} ${from} WHERE ${where} ORDER BY ${distinct}, ctid DESC`,
    }
  }

  /** Every row, where no key comes twice. */
  eachRow(count: number): Rows {
    const from = `FROM ${this.#temporary} s`
    const ordered = ` ORDER BY ${this.keyed ? this.#key.join(', ') : 'ctid'}`
    return {
      count: String(count),
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
   * Updates what differs and inserts what is absent, both as of one snapshot, and counts: distinct rows, inserted,
   * updated. The order of the select has its rows found before the first is inserted. A key that another transaction
   * inserts meanwhile is refused as a duplicate; the next attempt sees it.
   */
  merge(rows: Rows): string {
    const insert = `INSERT INTO ${this.target} (${this.#columns}) OVERRIDING SYSTEM VALUE`
    if (!this.#upsert) {
      return `WITH i AS (${insert} ${rows.select('true')} RETURNING 1) SELECT (${rows.count}), (SELECT count(*) FROM i), 0`
    }
    const absent = `NOT EXISTS (SELECT 1 FROM ${this.target} t WHERE ${this.#sameKey()})`
    const update = this.#update(rows)
    return `WITH ${update === null ? '' : `u AS (${update}), `}i AS (${insert} ${rows.select(absent)} RETURNING 1)
      SELECT (${rows.count}), (SELECT count(*) FROM i), ${update === null ? '0' : '(SELECT count(*) FROM u)'}`
  }

  /** Rows whose key the table has. */
  present(): string {
    return `EXISTS (SELECT 1 FROM ${this.target} t WHERE ${this.#sameKey()})`
  }

  #sameKey(): string {
    return this.#key.map((column) => `t.${column} = s.${column}`).join(' AND ')
  }

  /**
   * The same by one join, for servers that can. The target's rows are locked and changed as they are found, so that no
   * order of the rows is needed but for a key's place in the index. `sameWhenEqual`: columns whose equal values are the
   * same, byte by byte.
   */
  mergeByOneJoin(rows: Rows, sameWhenEqual: ReadonlySet<string>, order: 'ordered' | 'any'): string {
    const assignments = this.#assignments
    const update = `WHEN MATCHED AND ${this.#differs(sameWhenEqual)} THEN UPDATE SET ${assignments.join(', ')}`
    const values = this.#merge.columns.map((column) => `s.${quote(column)}`).join(', ')
    return `WITH m AS (MERGE INTO ${this.target} t USING (${rows.select('true', order)}) s ON ${this.#sameKey()}
      ${this.#compared.length === 0 ? '' : update}
      WHEN NOT MATCHED THEN INSERT (${this.#columns}) OVERRIDING SYSTEM VALUE VALUES (${values})
      RETURNING merge_action() = 'INSERT' AS inserted)
      SELECT (${rows.count}), count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM m`
  }

  get #written(): readonly string[] {
    const { columns, key } = this.#merge
    return columns.filter((column) => !key.includes(column))
  }

  get #compared(): readonly string[] {
    const { ignore = [] } = this.#merge
    return this.#written.filter((column) => !ignore.includes(column))
  }

  get #assignments(): readonly string[] {
    const { counter } = this.#merge
    const counted = counter === undefined ? [] : [`${quote(counter)} = t.${quote(counter)} + 1`]
    return [...this.#written.map((column) => `${quote(column)} = s.${quote(column)}`), ...counted]
  }

  /**
   * A row that is not older, and differs. Records are compared byte by byte, which takes longer than columns one by
   * one.
   */
  #differs(sameWhenEqual: ReadonlySet<string> = new Set()): string {
    const { version } = this.#merge
    const others = this.#compared.filter((column) => !sameWhenEqual.has(column)).map(quote)
    const row = (alias: string) => `ROW(${others.map((column) => `${alias}.${column}`).join(', ')})::record`
    const differences = [
      ...this.#compared
        .filter((column) => sameWhenEqual.has(column))
        .map((column) => `t.${quote(column)} IS DISTINCT FROM s.${quote(column)}`),
      ...(others.length === 0 ? [] : [`${row('t')} OPERATOR(pg_catalog.*<>) ${row('s')}`]),
    ]
    const guard =
      version === undefined ? '' : ` AND (t.${quote(version)} IS NULL OR s.${quote(version)} >= t.${quote(version)})`
    return `(${differences.join(' OR ')})${guard}`
  }

  #update(rows: Rows): string | null {
    if (this.#compared.length === 0) return null
    return `UPDATE ${this.target} t SET ${this.#assignments.join(', ')}
      FROM (${rows.select('true', 'any')}) s
      WHERE ${this.#sameKey()} AND ${this.#differs()} RETURNING 1`
  }
}
