import { type RawBuilder, sql } from 'kysely'
import type { Connection, Settled } from '#dray/database/adapter.ts'
import { ConfigurationError, TerminalError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { compareInstants, secondsBefore } from '#dray/pipeline/texts/instant.ts'
import type { SeenNumbers } from '#dray/state/state-store.ts'
import { checkCursor, startOfCursorUnit } from './checked-cursor.ts'
import { counterWindow } from './counter-window.ts'
import { cursorForm } from './cursor-form.ts'
import { cursorOf, cursorValue } from './cursor-value.ts'
import { type LateKeys, lateCondition } from './late-rows.ts'
import type { SourceTable } from './source-table.ts'

/** `[lo, hi)` of the cursor, as the source's text. */
export interface Window {
  readonly lo: string | null
  readonly hi: string
  /** False when other transactions could not be seen and `hi` rests on the lag alone. */
  readonly exact: boolean
  /** Of these keys rows are read that are stamped before the window. */
  readonly late?: LateKeys | null
  readonly note: string | null
}

/** A window with what the source said; null of an xid cursor, which needs no clock. */
export interface SettledWindow extends Window {
  readonly settled: Settled | null
  /** The unit to which the source cuts its cursor, in microseconds. */
  readonly unit: bigint
}

/** What a window follows on. */
export interface Before {
  readonly lastRun: string | null
  readonly seen: SeenNumbers
  readonly signal: AbortSignal
}

/** What a usual run reads since `lastRun`. Throws `Terminal` when the cursor's values cannot be put in order. */
export async function settledWindow(
  extraction: Extraction,
  before: Before,
  connection: Connection,
  table: SourceTable,
): Promise<SettledWindow & SeenNumbers> {
  const { lastRun } = before
  const cursor = cursorOf(extraction)
  if (cursor.kind === 'xid') return xidWindow(extraction, lastRun, connection, table)
  if (cursor.kind === 'counter') return counterWindow(extraction, before, connection, table)
  if (lastRun !== null && /^-?\d+$/.test(lastRun)) {
    const { database, table: name } = extraction.source.definition
    throw new TerminalError(
      `last_run is ${lastRun}, which is no time, so nothing was read of ${database}.${name}; was its cursor a number before? forget it with \`dray state reset\`, and all rows are read once`,
    )
  }
  const unit = await checkCursor(extraction, connection, table)
  const settled = await connection.settledUntil(cursor.lagSeconds, {
    unseenLagSeconds: cursor.unseenLagSeconds,
    table: extraction.source.definition.table,
  })
  const until = await startOfCursorUnit(extraction, settled.until, unit, connection, table)
  // An open transaction older than the last window holds the bound back: then there is nothing settled to read yet.
  const hi = lastRun !== null && compareInstants(until, lastRun) < 0 ? lastRun : until
  const lo = lastRun === null || cursor.overlapSeconds === 0 ? lastRun : secondsBefore(lastRun, cursor.overlapSeconds)
  const note = settled.exact
    ? null
    : `the window ends ${settled.lagSeconds} s before now and is not exact: ${settled.reason ?? 'open transactions cannot be seen'}`
  return { lo, hi, exact: settled.exact, note, settled, unit }
}

/** Every transaction below the bound has ended, and is visible when it has committed. */
async function xidWindow(
  { source }: Extraction,
  lastRun: string | null,
  connection: Connection,
  { adapter: { dialect, settledTransaction } }: SourceTable,
): Promise<SettledWindow> {
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
  return { lo: lastRun, hi, exact: true, note: null, settled: null, unit: 1n }
}

/** The rows of a window, with `nulls: 'include'` those that have no cursor, and those that came late. */
export function windowCondition(
  extraction: Extraction,
  window: Pick<Window, 'lo' | 'hi' | 'late'>,
  table: SourceTable,
): RawBuilder<unknown> {
  const { lo, late = null } = window
  const alternatives = [sql`(${rangeOf(extraction, window, table)})`]
  if (cursorOf(extraction).nulls === 'include') alternatives.push(table.adapter.isNull(cursorValue(extraction)))
  if (late !== null && lo !== null) alternatives.push(lateCondition(extraction, late, lo, table))
  return sql`(${sql.join(alternatives, sql` or `)})`
}

/** The rows of a window without those that have no cursor. */
export function rangeCondition(
  extraction: Extraction,
  window: Pick<Window, 'lo' | 'hi'>,
  table: SourceTable,
): RawBuilder<unknown> {
  return sql`(${rangeOf(extraction, window, table)})`
}

function rangeOf(extraction: Extraction, { lo, hi }: Pick<Window, 'lo' | 'hi'>, table: SourceTable) {
  const form = cursorForm(extraction, table)
  return lo === null ? form.before(hi) : sql`${form.from(lo)} and ${form.before(hi)}`
}
