import { type RawBuilder, sql } from 'kysely'
import { after, ascending, type ComparedColumn, upTo } from '#dray/active-record/compared-key.ts'
import { columnName, readColumn, tableName, where } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import type { Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { hasKey } from '#dray/pipeline/texts/key-texts.ts'
import { partitionSize } from './capacity.ts'
import { ownRows } from './source-rows.ts'
import type { SourceTable } from './source-table.ts'
import { rangeCondition, type Window, windowCondition } from './window.ts'

/** A range of the primary key: behind `after`, up to and with `upTo`; null where it is open. */
export interface KeyRange {
  readonly after: readonly string[] | null
  readonly upTo: readonly string[] | null
}

/** What one partition reads: rows of a range, and of those only the ones that are asked for. */
export interface Partition extends KeyRange {
  /** The part of a backfill; the plan's own window when left out. */
  readonly window?: Pick<Window, 'lo' | 'hi'> | undefined
  /** These keys only. */
  readonly keys?: readonly (readonly string[])[] | undefined
  /** The same, staged: `withKeys` reads them. */
  readonly keysIn?: StagedObject | undefined
  /** Quarantined rows to go through the transform and the load again. */
  readonly kept?: StagedObject | undefined
}

export const WHOLE: KeyRange = { after: null, upTo: null }

/** The conditions on the source's rows that make up a partition. */
export function partitionConditions(
  extraction: Extraction,
  planned: { readonly window: Window | null },
  partition: Partition,
  table: SourceTable,
): RawBuilder<unknown>[] {
  const conditions = [...ownRows(extraction, table), ...rangeConditions(partition, table)]
  if (partition.keys !== undefined) {
    conditions.push(hasKey(table.adapter, extraction.source.definition.primaryKey, partition.keys, table.columns))
  } else if (partition.window !== undefined) conditions.push(rangeCondition(extraction, partition.window, table))
  else if (planned.window !== null) conditions.push(windowCondition(extraction, planned.window, table))
  return conditions
}

/**
 * The rows of a range. The first one takes the keys that have a NULL, and no other does, so that each row is in one.
 */
function rangeConditions(range: KeyRange, { adapter, key }: SourceTable): RawBuilder<unknown>[] {
  const conditions: RawBuilder<unknown>[] = []
  if (range.after !== null) {
    conditions.push(after(key, range.after), ...key.map(({ column }) => sql`${columnName(column)} is not null`))
  }
  if (range.upTo !== null) {
    const bounded = upTo(key, range.upTo)
    const missing = key.map(({ column }) => adapter.isNull(columnName(column)))
    conditions.push(range.after === null ? sql`(${sql.join([bounded, ...missing], sql` or `)})` : bounded)
  }
  return conditions
}

export interface Cut {
  readonly rows: number
  readonly ranges: readonly KeyRange[]
}

/**
 * Counts the pipeline's rows that meet the conditions and cuts them into ranges of the primary key of about the same
 * size.
 */
export async function cut(
  extraction: Extraction,
  asked: readonly RawBuilder<unknown>[],
  connection: Connection,
  table: SourceTable,
  signal: AbortSignal,
): Promise<Cut> {
  const { source, partitionRows } = extraction
  const { adapter, key } = table
  if (!(partitionRows >= 1)) throw new ConfigurationError(`partitionRows is ${partitionRows}; it must be 1 or more`)
  const conditions = [...ownRows(extraction, table), ...asked]
  const from = sql`${tableName(source.definition)}${where(conditions)}`
  const count = compile(adapter, sql`select count(*) from ${from}`)
  const rows = Number((await connection.query(count.sql, count.parameters, { signal })).rows[0]?.[0])
  const size = partitionSize(rows, partitionRows)
  refuseTooSlow(extraction, rows, size)
  if (key.length === 0 || rows <= size) return { rows, ranges: [WHOLE] }
  const isInIndex =
    table.isKeyIndexed && conditions.length === 0 && key.length === 1 && key.every(({ keepsIndex }) => keepsIndex)
  const find = isInIndex ? boundsOfTable : boundsOfRows
  const bounds = await find(table, { from, rows, size }, connection, signal)
  const inner = bounds.filter((bound) => bound.every((text) => text !== null)) as string[][]
  return {
    rows,
    ranges: [...inner, null].map((bound, index) => ({ after: inner[index - 1] ?? null, upTo: bound })),
  }
}

const DAY_SECONDS = 86_400

/** A pipeline has a day, and a partition that is too large for the rate is read for longer than a source waits. */
function refuseTooSlow({ source, maxRowsPerSecond, partitionRows }: Extraction, rows: number, size: number): void {
  if (maxRowsPerSecond === null || (rows < maxRowsPerSecond * DAY_SECONDS && size <= partitionRows)) return
  const { database, table } = source.definition
  throw new ConfigurationError(
    `${database}.${table} has ${rows} rows to read, which is too much for one run at maxRowsPerSecond: ${maxRowsPerSecond}, so nothing was read; raise it, or have changedSince() read a part in each run: firstLoad: { rows: … }`,
  )
}

interface Cutting {
  readonly from: RawBuilder<unknown>
  readonly rows: number
  readonly size: number
}

type Bounds = readonly (readonly Text[])[]

/** The keys of each so many rows, by numbering them all. */
async function boundsOfRows(
  { adapter, key }: SourceTable,
  { from, rows, size }: Cutting,
  connection: Connection,
  signal: AbortSignal,
): Promise<Bounds> {
  const names = sql.join(key.map(({ column }) => columnName(column)))
  const read = sql.join(key.map((one) => one.read))
  const statement = compile(
    adapter,
    sql`select ${names} from (select ${read}, row_number() over (order by ${ascending(key)}) as ${sql.id('dray$n')} from ${from}) as ${sql.id('dray_keys')} where ${sql.id('dray$n')} % ${sql.raw(String(size))} = 0 and ${sql.id('dray$n')} < ${sql.raw(String(rows))} order by ${sql.id('dray$n')}`,
  )
  return (await connection.query(statement.sql, statement.parameters, { signal })).rows
}

/**
 * The same for a whole table, in a sixth of the time: a statement for each bound goes on in the key's index where the
 * last one ended.
 */
async function boundsOfTable(
  { adapter, key }: SourceTable,
  { from, rows, size }: Cutting,
  connection: Connection,
  signal: AbortSignal,
): Promise<Bounds> {
  const { column } = key[0] as ComparedColumn
  const bounds: string[][] = []
  for (let last: string[] | undefined; bounds.length < Math.ceil(rows / size) - 1; last = bounds.at(-1)) {
    const behind = last === undefined ? sql`${columnName(column)} is not null` : after(key, last)
    const statement = compile(
      adapter,
      sql`select ${readColumn(adapter, column)} from ${from} where ${behind} order by ${ascending(key)} limit 1 offset ${sql.raw(String(size - 1))}`,
    )
    const [bound] = (await connection.query(statement.sql, statement.parameters, { signal })).rows
    if (bound === undefined) break
    bounds.push(bound as string[])
  }
  return bounds
}
