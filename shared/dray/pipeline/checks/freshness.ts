import { sql } from 'kysely'
import { tableName, where } from '#dray/active-record/sql.ts'
import { compile } from '#dray/database/statement.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { cursorForm } from '#dray/pipeline/plan/cursor-form.ts'
import { cursorName, cursorOf } from '#dray/pipeline/plan/cursor-value.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { sourceTable } from '#dray/pipeline/plan/source-table.ts'
import { microsOf } from '#dray/pipeline/texts/instant.ts'

/** What is wrong with the age of the newest row of a source, by its own clock; null where nothing is. */
export async function staleness(extract: Extraction, seconds: number, text: string): Promise<string | null> {
  const { database, definition } = extract.source
  return database.transaction(
    () =>
      database.withConnection(async (connection, adapter) => {
        const table = await sourceTable(extract, connection, adapter)
        const { moment } = cursorForm(extract, table)
        const rows = where(ownRows(extract, table))
        const asked = compile(adapter, sql`select max(${moment}) from ${tableName(definition)}${rows}`)
        const newest = (await connection.query(asked.sql, asked.parameters)).rows[0]?.[0] ?? null
        const { now } = await connection.settledUntil(cursorOf(extract).lagSeconds, { table: definition.table })
        const source = `${definition.database}.${definition.table}`
        if (newest === null) return `${source} has no row with a ${cursorName(extract)}`
        const [latest, clock] = [microsOf(newest), microsOf(now)]
        if (latest === null || clock === null || clock - latest <= BigInt(seconds) * 1_000_000n) return null
        return `the newest row of ${source} is ${lengthOf(Number((clock - latest) / 1_000_000n))} old by ${cursorName(extract)}, and ${text} at most are expected`
      }),
    'snapshot',
  )
}

function lengthOf(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor((seconds / 3600) % 24),
    Math.floor((seconds / 60) % 60),
  ]
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(seconds % 60)} s`
}
