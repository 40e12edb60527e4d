import { type RawBuilder, sql } from 'kysely'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, columnOf, textFor } from '#dray/active-record/table-definition.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { ConfigurationError, TerminalError } from '#dray/errors.ts'
import type { Cursor, Extraction } from '#dray/pipeline/declare/extraction.ts'
import { compareInstants, secondsBefore, startOfUnit } from '#dray/pipeline/texts/instant.ts'
import { stampUnitOfText, stampWithin } from './cursor-text.ts'

/** `[lo, hi)` of the cursor, as the source's text. */
export interface Window {
  readonly lo: string | null
  readonly hi: string
  /** False when other transactions could not be seen and `hi` rests on the lag alone. */
  readonly exact: boolean
  readonly note: string | null
}

/** What a usual run reads since `lastRun`. Throws `Terminal` when the cursor's values cannot be put in order. */
export async function settledWindow(
  extraction: Extraction,
  lastRun: string | null,
  connection: Connection,
  adapter: Adapter,
): Promise<Window> {
  const cursor = cursorOf(extraction)
  if (cursor.kind === 'xid') return xidWindow(extraction, lastRun, connection, adapter)
  const { until, exact, reason } = await connection.settledUntil(cursor.lagSeconds)
  const settled = startOfUnit(until, await stampUnit(extraction, connection, adapter))
  // An open transaction older than the last window holds the bound back: then there is nothing settled to read yet.
  const hi = lastRun !== null && compareInstants(settled, lastRun) < 0 ? lastRun : settled
  const lo = lastRun === null || cursor.overlapSeconds === 0 ? lastRun : secondsBefore(lastRun, cursor.overlapSeconds)
  const note = exact
    ? null
    : `the window ends ${cursor.lagSeconds} s before now and is not exact: ${reason ?? 'open transactions cannot be seen'}`
  return { lo, hi, exact, note }
}

export function cursorOf({ cursor, source }: Extraction): Cursor {
  if (cursor !== null) return cursor
  throw new ConfigurationError(
    `${source.definition.database}.${source.definition.table} is read whole in each run, so it has no window; run the pipeline, or read it with changedSince()`,
  )
}

/** Every transaction below the bound has ended, and is visible when it has committed. */
async function xidWindow(
  { source }: Extraction,
  lastRun: string | null,
  connection: Connection,
  { dialect, settledTransaction }: Adapter,
): Promise<Window> {
  const { database, table } = source.definition
  if (settledTransaction === null) {
    throw new ConfigurationError(
      `${database}.${table} is read by an xid cursor, which only PostgreSQL has, and ${database} is ${dialect}; name a timestamp as the cursor`,
    )
  }
  const { rows } = await connection.query(`select ${settledTransaction}`)
  const hi = rows[0]?.[0] as string
  if (lastRun !== null && !/^\d+$/.test(lastRun)) {
    throw new TerminalError(
      `last_run is ${lastRun}, which is no number of a transaction, so nothing was read of ${database}.${table}; was its cursor a timestamp before? forget it with \`dray state reset\`, and all rows are read once`,
    )
  }
  if (lastRun !== null && BigInt(hi) < BigInt(lastRun)) {
    throw new TerminalError(
      `the transactions of ${database} are numbered up to ${hi}, and last_run is ${lastRun}: this is another server, or one restored from a dump, and changes would be missed, so nothing was read; forget last_run with \`dray state reset\`, and all rows are read once`,
    )
  }
  return { lo: lastRun, hi, exact: true, note: null }
}

const DAY = 86_400_000_000n

/**
 * The unit to which the source cuts its stamps, in microseconds. A window must end at the start of one: a row written
 * later in the unit has the same stamp.
 */
async function stampUnit(extraction: Extraction, connection: Connection, adapter: Adapter): Promise<bigint> {
  const { source } = extraction
  const column = columnOf(source.definition, cursorOf(extraction).name)
  if (adapter.textStamps !== null) {
    return stampUnitOfText(adapter.textStamps, source.definition, column, connection, adapter)
  }
  const live = await connection.describe(source.definition.table)
  const type = live?.columns.find(({ name }) => name === column.column)?.type ?? ''
  if (/^date$/i.test(type)) return DAY
  const digits = /^(?:timestamp|datetime)\s*(?:\((\d)\))?/i.exec(type)
  if (digits === null) return 1n
  const decimals = Number(digits[1] ?? adapter.stampDigits)
  return 10n ** BigInt(6 - Math.min(6, decimals))
}

/** The rows of a window, and with `nulls: 'include'` those that have no cursor. */
export function windowCondition(
  extraction: Extraction,
  window: Pick<Window, 'lo' | 'hi'>,
  adapter: Adapter,
): RawBuilder<unknown> {
  const cursor = cursorOf(extraction)
  const column = columnOf(extraction.source.definition, cursor.name)
  const within = rangeOf(column, window, adapter)
  return cursor.nulls === 'include' ? sql`((${within}) or ${columnName(column)} is null)` : sql`(${within})`
}

/** The rows of a window without those that have no cursor. */
export function rangeCondition(
  extraction: Extraction,
  window: Pick<Window, 'lo' | 'hi'>,
  adapter: Adapter,
): RawBuilder<unknown> {
  return sql`(${rangeOf(columnOf(extraction.source.definition, cursorOf(extraction).name), window, adapter)})`
}

function rangeOf(column: ColumnDefinition, { lo, hi }: Pick<Window, 'lo' | 'hi'>, adapter: Adapter) {
  const isTimestamp = column.field.settings.kind === 'timestamp'
  if (adapter.textStamps !== null && isTimestamp) return stampWithin(adapter.textStamps, column, lo, hi)
  const below = sql`${columnName(column)} < ${textFor(adapter, column, hi)}`
  return lo === null ? below : sql`${columnName(column)} >= ${textFor(adapter, column, lo)} and ${below}`
}

/** Counts the rows without a cursor, and refuses them or says what becomes of them; null when there are none. */
export async function checkNullCursors(
  pipeline: string,
  extraction: Extraction,
  connection: Connection,
  adapter: Adapter,
): Promise<string | null> {
  const { source } = extraction
  const cursor = cursorOf(extraction)
  const column = columnOf(source.definition, cursor.name)
  const statement = compile(
    adapter,
    sql`select count(*) from ${tableName(source.definition)} where ${columnName(column)} is null`,
  )
  const rows = Number((await connection.query(statement.sql, statement.parameters)).rows[0]?.[0])
  if (rows === 0) return null
  const where = `${rows} rows of ${source.definition.database}.${source.definition.table} have no ${column.column}`
  if (cursor.nulls === 'include') return `${where}: read in each run (nulls: 'include')`
  if (cursor.nulls === 'exclude') return `${where}: never read (nulls: 'exclude')`
  throw new TerminalError(
    `${pipeline}: ${where}, so no window would ever hold them and nothing was read; fill it in, or say nulls: 'include' (read them in each run) or 'exclude'`,
  )
}
