import { type RawBuilder, sql } from 'kysely'
import { after, ascending, upTo } from '#dray/active-record/compared-key.ts'
import { tableName, where } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import { compile } from '#dray/database/statement.ts'
import { TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { seenKeys } from '#dray/pipeline/plan/late-rows.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { type SourceTable, sourceTable } from '#dray/pipeline/plan/source-table.ts'
import { windowCondition } from '#dray/pipeline/plan/window.ts'
import { RowSizes, withoutLengths } from '#dray/pipeline/rows/large-values.ts'
import type { Bounds } from './range-digests.ts'

/** A row of the source, and whether the next window is going to read it. */
export interface SourceRow {
  readonly texts: readonly Text[]
  readonly isPending: boolean
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

  async *pages(bounds: Bounds, read: ReadBefore): AsyncGenerator<readonly SourceRow[]> {
    const { source } = this.#extract
    const { columns, primaryKey } = source.definition
    const signal = this.#signal
    const table = await source.database.withConnection((connection, adapter) =>
      sourceTable(this.#extract, connection, adapter),
    )
    for (let from = bounds.from; ; ) {
      if (signal.aborted) throw new TransientError('the comparison was stopped', { cause: signal.reason })
      const position = from
      const rows = await source.database.withConnection(async (connection, adapter) => {
        const statement = compile(adapter, this.#page(table, { from: position, to: bounds.to }, read))
        return (await connection.query(statement.sql, statement.parameters, { signal })).rows
      })
      const last = rows.at(-1)
      if (last === undefined) return
      yield rows.map((row) => ({ texts: withoutLengths(row.slice(0, -1), columns), isPending: row.at(-1) === '1' }))
      if (rows.length < this.#rows) return
      from = primaryKey.map(({ index }) => last[index] ?? '')
    }
  }

  #page(table: SourceTable, { from, to }: Bounds, before: ReadBefore): RawBuilder<unknown> {
    const { definition } = this.#extract.source
    const sizes = new RowSizes(definition.columns, table, this.#limits)
    const columns = sizes.columnsUpTo(this.#limits.valueBytes, definition.primaryKey)
    const conditions = [
      ...ownRows(this.#extract, table),
      ...(from === null ? [] : [after(table.key, from)]),
      ...(to === null ? [] : [upTo(table.key, to)]),
    ]
    return sql`select ${sql.join(columns)}, ${this.#pending(table, before)} from ${tableName(definition)}${where(conditions)}
      order by ${ascending(table.key)} limit ${sql.raw(String(this.#rows))}`
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
