import { type RawBuilder, sql } from 'kysely'
import { columnName, tableName, where } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import type { SeenNumbers } from '#dray/state/state-store.ts'
import { cursorForm } from './cursor-form.ts'
import { cursorOf } from './cursor-value.ts'
import { settledNumber } from './settled-number.ts'
import { ownRows } from './source-rows.ts'
import type { SourceTable } from './source-table.ts'

/** `[from, to)` of the keys, of which rows are read that are stamped before the window. */
export interface LateKeys {
  readonly from: string
  readonly to: string
}

interface Late {
  /** Null where nothing was seen before. */
  readonly late: LateKeys | null
  readonly seen: SeenNumbers
  readonly note: string | null
}

/** The keys that have come since the last run, up to where they are settled, and how many of their rows come late. */
export async function lateKeys(
  extraction: Extraction,
  { lo, seen, signal }: { readonly lo: string | null; readonly seen: SeenNumbers; readonly signal: AbortSignal },
  connection: Connection,
  table: SourceTable,
): Promise<Late> {
  const { keysUntil } = seen
  const look = {
    from: keysUntil === undefined ? null : BigInt(keysUntil),
    unsettled: seen.unsettled ?? null,
    unseenLagSeconds: cursorOf(extraction).unseenLagSeconds,
    waitMs: 0,
    signal,
  }
  const { until, unsettled } = await settledNumber(extraction, keyOf(extraction), look, connection, table)
  const to = until === null || (keysUntil !== undefined && until < BigInt(keysUntil)) ? keysUntil : String(until)
  const now = { unsettled, ...(to === undefined ? {} : { keysUntil: to }) }
  if (lo === null || keysUntil === undefined || to === undefined || to === keysUntil)
    return { late: null, seen: now, note: null }
  const late = { from: keysUntil, to }
  const { definition } = extraction.source
  const conditions = [...ownRows(extraction, table), lateCondition(extraction, late, lo, table)]
  const statement = compile(table.adapter, sql`select count(*) from ${tableName(definition)}${where(conditions)}`)
  const rows = Number((await connection.query(statement.sql, statement.parameters)).rows[0]?.[0])
  const note = `${rows} ${rows === 1 ? 'row' : 'rows'} of ${definition.database}.${definition.table} came with a stamp before the window, and ${rows === 1 ? 'is' : 'are'} read by the key, from ${late.from} on`
  return { late, seen: now, note: rows === 0 ? null : note }
}

function keyOf({ source }: Extraction): ColumnDefinition {
  return source.definition.primaryKey[0] as ColumnDefinition
}

/** Those of the keys whose stamps are before the window. */
export function lateCondition(
  extraction: Extraction,
  { from, to }: LateKeys,
  lo: string,
  table: SourceTable,
): RawBuilder<unknown> {
  const key = columnName(keyOf(extraction))
  return sql`(${key} >= ${sql.raw(from)} and ${key} < ${sql.raw(to)} and ${cursorForm(extraction, table).before(lo)})`
}

/** Whether a key has been seen, for rows that no window has read yet. */
export function seenKeys(extraction: Extraction, keysUntil: string | undefined): RawBuilder<unknown> | null {
  if (!extraction.cursor?.lateRows || keysUntil === undefined) return null
  return sql`${columnName(keyOf(extraction))} < ${sql.raw(keysUntil)}`
}
