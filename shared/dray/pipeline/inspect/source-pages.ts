import { type RawBuilder, sql } from 'kysely'
import { after, ascending, upTo } from '#dray/active-record/compared-key.ts'
import { tableName, where } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import { compile } from '#dray/database/statement.ts'
import { TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { queried } from '#dray/pipeline/landing/queried.ts'
import { seenKeys } from '#dray/pipeline/plan/late-rows.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { type SourceTable, sourceTable } from '#dray/pipeline/plan/source-table.ts'
import { windowCondition } from '#dray/pipeline/plan/window.ts'
import { RowSizes, withoutLengths } from '#dray/pipeline/rows/large-values.ts'
import { hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import type { Bounds } from './range-digests.ts'

/** A row of the source, and whether the next window is going to read it. */
export interface SourceRow {
  readonly texts: readonly Text[]
  readonly isPending: boolean
}

/** Rows one after the other, by the primary key. */
export interface SourcePage {
  readonly rows: readonly SourceRow[]
  /** The key of its last row. */
  readonly to: readonly string[]
}

/** Up to where runs have read. */
export interface ReadBefore {
  readonly lastRun: string | null
  readonly keysUntil?: string | undefined
}

/** Reads the source in ranges of its primary key; of a value beyond the limits its length. */
export class SourcePages {
  readonly #extract: Pipeline['extract']
  readonly #limits: Pipeline['limits']
  readonly #rows: number
  readonly #signal: AbortSignal

  /** `rows` is how many a page has at most. */
  constructor({ extract, limits }: Pipeline, rows: number, signal: AbortSignal) {
    this.#extract = extract
    this.#limits = limits
    this.#rows = rows
    this.#signal = signal
  }

  async *pages(bounds: Bounds, read: ReadBefore): AsyncGenerator<SourcePage> {
    const { source } = this.#extract
    const { primaryKey } = source.definition
    const signal = this.#signal
    const table = await this.#table()
    for (let from = bounds.from; ; ) {
      if (signal.aborted) throw new TransientError('the comparison was stopped', { cause: signal.reason })
      const position = from
      const rows = await source.database.withConnection(async (connection, adapter) => {
        const conditions = [
          ...(position === null ? [] : [after(table.key, position)]),
          ...(bounds.to === null ? [] : [upTo(table.key, bounds.to)]),
        ]
        const statement = compile(
          adapter,
          sql`${this.#rowsWith(conditions, table, read)} order by ${ascending(table.key)} limit ${sql.raw(String(this.#rows))}`,
        )
        return (await connection.query(statement.sql, statement.parameters, { signal })).rows
      })
      const last = rows.at(-1)
      if (last === undefined) return
      from = primaryKey.map(({ index }) => last[index] ?? '')
      yield { rows: rows.map((row) => this.#read(row)), to: from }
      if (rows.length < this.#rows) return
    }
  }

  /** The rows that have one of these keys, as the source compares them. */
  async ofKeys(keys: readonly (readonly Text[])[], read: ReadBefore): Promise<readonly SourceRow[]> {
    const { source } = this.#extract
    const table = await this.#table()
    const found: SourceRow[] = []
    for (const group of inGroups(keys)) {
      const isAsked = hasKey(table.adapter, source.definition.primaryKey, group, table.columns)
      const rows = await queried(source.database, this.#rowsWith([isAsked], table, read))
      found.push(...rows.map((row) => this.#read(row)))
    }
    return found
  }

  #table(): Promise<SourceTable> {
    const { source } = this.#extract
    return source.database.withConnection((connection, adapter) => sourceTable(this.#extract, connection, adapter))
  }

  #read(row: readonly Text[]): SourceRow {
    const { columns } = this.#extract.source.definition
    return { texts: withoutLengths(row.slice(0, -1), columns), isPending: row.at(-1) === '1' }
  }

  #rowsWith(conditions: readonly RawBuilder<unknown>[], table: SourceTable, before: ReadBefore): RawBuilder<unknown> {
    const { definition } = this.#extract.source
    const sizes = new RowSizes(definition.columns, table, this.#limits)
    const columns = sizes.columnsUpTo(this.#limits.valueBytes, definition.primaryKey)
    const all = [...ownRows(this.#extract, table), ...conditions]
    return sql`select ${sql.join(columns)}, ${this.#pending(table, before)} from ${tableName(definition)}${where(all)}`
  }

  /** Rows that no window has read yet. */
  #pending(table: SourceTable, { lastRun, keysUntil }: ReadBefore): RawBuilder<unknown> {
    if (this.#extract.cursor === null) return sql.raw('0')
    if (lastRun === null) return sql.raw('1')
    const read = windowCondition(this.#extract, { lo: null, hi: lastRun }, table)
    const keys = seenKeys(this.#extract, keysUntil)
    return sql`case when ${keys === null ? read : sql`${read} and ${keys}`} then 0 else 1 end`
  }
}
