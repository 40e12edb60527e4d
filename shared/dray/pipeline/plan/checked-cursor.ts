import { sql } from 'kysely'
import { tableName, where } from '#dray/active-record/sql.ts'
import type { Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { instantText, microsOf, startOfUnit, unitOfType } from '#dray/pipeline/texts/instant.ts'
import { stampForm, zoneOf, zonesOf } from './cursor-form.ts'
import { stampTexts } from './cursor-text.ts'
import { cursorColumns, cursorName, cursorOf, cursorValue } from './cursor-value.ts'
import { unitOfExpression } from './expression-unit.ts'
import { ownRows } from './source-rows.ts'
import type { SourceTable } from './source-table.ts'

const DAY = 86_400_000_000n

/**
 * At Plan: holds that the cursor's values are moments. Returns the unit to which the source cuts them, in microseconds.
 * Throws `Terminal` where a value cannot be put in order with the others, or where nothing says which zone it is in.
 */
export async function checkCursor(extraction: Extraction, connection: Connection, table: SourceTable): Promise<bigint> {
  const unit = await unitOfStamps(extraction, connection, table)
  return cursorOf(extraction).expression === null ? unit : unitOfExpression(extraction, unit, connection, table)
}

async function unitOfStamps(extraction: Extraction, connection: Connection, table: SourceTable): Promise<bigint> {
  const form = stampForm(extraction, table)
  if (form !== 'moment' && zoneOf(extraction) !== null) await checkZone(extraction, connection, table)
  if (form === 'text') {
    const stamps = { name: cursorName(extraction), value: cursorValue(extraction) }
    const { unit, withoutZone } = await stampTexts(extraction.source.definition, stamps, connection, {
      ...table,
      rows: ownRows(extraction, table),
    })
    if (withoutZone > 0) await askForZone(extraction, connection, `${withoutZone} of its texts say no zone`)
    return unit
  }
  const { adapter, cursorType } = table
  if (form === 'local') await askForZone(extraction, connection, `it is ${cursorType}, which has no zone`)
  const named = cursorColumns(extraction).map(({ column }) => table.columns.find(({ name }) => name === column)?.type)
  let coarsest = 1n
  for (const type of [cursorType, ...named]) {
    const unit = unitOfType(type ?? '', adapter)
    if (unit > coarsest) coarsest = unit
  }
  return coarsest
}

/** Where the server's own clock is in UTC, so are the stamps that it makes. */
async function askForZone(extraction: Extraction, connection: Connection, why: string): Promise<void> {
  const { name, zone } = cursorOf(extraction)
  if (zone !== null) return
  const ofServer = await connection.serverZone()
  if (ofServer === null) return
  const { database, table } = extraction.source.definition
  throw new TerminalError(
    `${database}.${table}: the cursor ${name} is a time of some clock: ${why}, and the server is in ${ofServer}. Rows could lie hours before last_run and never be read, so nothing was read; say what it holds, changedSince(…, { zone: 'UTC' }) or zone: 'America/New_York' and the like, or make it a column with a zone`,
  )
}

async function checkZone(extraction: Extraction, connection: Connection, table: SourceTable): Promise<void> {
  const zone = zoneOf(extraction) as string
  const zones = zonesOf(extraction, table)
  const moment = zones.momentOf(zones.moment('2026-01-01 00:00:00'), zone)
  const statement = compile(table.adapter, sql`select ${moment}`)
  const found = await connection.query(statement.sql, statement.parameters).catch(() => null)
  if (found !== null && (found.rows[0]?.[0] ?? null) !== null) return
  throw new TerminalError(
    `${extraction.source.definition.database}: the server does not know the zone ${zone}, so nothing was read; ${zones.remedy}`,
  )
}

/** The start of the unit that a moment is in; of a day, where the cursor's clock is. */
export async function startOfCursorUnit(
  extraction: Extraction,
  moment: string,
  unit: bigint,
  connection: Connection,
  table: SourceTable,
): Promise<string> {
  const zone = zoneOf(extraction)
  if (unit !== DAY || zone === null || stampForm(extraction, table) === 'moment') return startOfUnit(moment, unit)
  const zones = zonesOf(extraction, table)
  const day = sql`cast(${zones.localOf(zones.moment(moment), zone)} as date)`
  const statement = compile(table.adapter, sql`select ${zones.momentOf(day, zone)}`)
  const start = (await connection.query(statement.sql, statement.parameters)).rows[0]?.[0] as string
  return instantText(microsOf(start) as bigint)
}

/** Counts the rows without a cursor, and refuses them or says what becomes of them; null when there are none. */
export async function checkNullCursors(
  pipeline: string,
  extraction: Extraction,
  connection: Connection,
  table: SourceTable,
): Promise<string | null> {
  const { source } = extraction
  const { adapter } = table
  const cursor = cursorOf(extraction)
  const statement = compile(
    adapter,
    sql`select count(*) from ${tableName(source.definition)}${where([...ownRows(extraction, table), adapter.isNull(cursorValue(extraction))])}`,
  )
  const rows = Number((await connection.query(statement.sql, statement.parameters)).rows[0]?.[0])
  if (rows === 0) return null
  const [counted, have] = rows === 1 ? ['1 row', 'has'] : [`${rows} rows`, 'have']
  const found = `${counted} of ${source.definition.database}.${source.definition.table} ${have} no ${cursorName(extraction)}`
  if (cursor.nulls === 'include') return `${found}: read in each run (nulls: 'include')`
  if (cursor.nulls === 'exclude') return `${found}: never read (nulls: 'exclude')`
  throw new TerminalError(
    `${pipeline}: ${found}, so no window would ever hold them and nothing was read; fill it in, or say nulls: 'include' (read them in each run) or 'exclude'`,
  )
}
