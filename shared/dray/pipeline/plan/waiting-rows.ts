import { type RawBuilder, sql } from 'kysely'
import { tableName, where } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import type { Connection, Settled } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { instantText, microsOf } from '#dray/pipeline/texts/instant.ts'
import { cursorForm } from './cursor-form.ts'
import { cursorName } from './cursor-value.ts'
import { ownRows } from './source-rows.ts'
import type { SourceTable } from './source-table.ts'
import type { Window } from './window.ts'

const DAY_MICROS = 86_400_000_000n
/** As many rows are counted, so that a look costs little where much of a table is newer than the window. */
const MOST_COUNTED = 1_000

/** What is to be said of rows that are newer than the window: those of the next runs, and those of no run for long. */
export async function notesOfNewerRows(
  extraction: Extraction,
  { hi }: Window,
  settled: Settled | null,
  connection: Connection,
  table: SourceTable,
): Promise<string[]> {
  const { definition } = extraction.source
  const form = cursorForm(extraction, table)
  const name = `${definition.database}.${definition.table}`
  const look = (condition: RawBuilder<unknown>, most?: number) =>
    countMoments(extraction, condition, most, connection, table)
  if (settled === null) {
    const { rows } = await look(form.from(hi), MOST_COUNTED + 1)
    return rows === 0 ? [] : [waiting(rows, name, 'the window', 'until what is open now has ended')]
  }
  // Where nothing is newer, this is all that a table without an index has to be read for.
  if ((await look(form.from(hi), 1)).rows === 0) return []
  const soon = await look(sql`${form.from(hi)} and ${form.before(farFrom(settled))}`, MOST_COUNTED + 1)
  const notes: string[] = []
  if (soon.rows > 0) {
    const until = settled.heldBy ?? `for a run after ${readAfter(soon, settled)} UTC (lag ${settled.lagSeconds} s)`
    notes.push(waiting(soon.rows, name, `the window, which ends at ${hi} UTC`, until))
  }
  const later = await noteOfFarRows(extraction, settled, connection, table)
  return later === null ? notes : [...notes, later]
}

/** What is to be said of rows that no run reads for more than a day; null where there are none. */
export async function noteOfFarRows(
  extraction: Extraction,
  settled: Settled,
  connection: Connection,
  table: SourceTable,
): Promise<string | null> {
  const far = farFrom(settled)
  const { rows, last } = await countMoments(
    extraction,
    cursorForm(extraction, table).from(far),
    undefined,
    connection,
    table,
  )
  if (rows === 0) return null
  const { database, table: name } = extraction.source.definition
  return `${rows} ${rows === 1 ? 'row' : 'rows'} of ${database}.${name} beyond ${far} UTC by ${cursorName(extraction)} (up to ${last}): in no window before that time, so not read; correct the stamps`
}

function farFrom({ now }: Settled): string {
  return instantText((microsOf(now) ?? 0n) + DAY_MICROS)
}

interface Moments {
  readonly rows: number
  readonly last: Text
}

/** In order, so that an index of the cursor is of use even before the server has statistics of it. */
async function countMoments(
  extraction: Extraction,
  condition: RawBuilder<unknown>,
  most: number | undefined,
  connection: Connection,
  table: SourceTable,
): Promise<Moments> {
  const { moment } = cursorForm(extraction, table)
  const limit = most === undefined ? sql`` : sql` order by ${moment} limit ${sql.raw(String(most))}`
  const rows = sql`select ${moment} as ${sql.id('moment')} from ${tableName(extraction.source.definition)}${where([...ownRows(extraction, table), condition])}${limit}`
  const statement = compile(
    table.adapter,
    sql`select count(*), max(${sql.id('moment')}) from (${rows}) as ${sql.id('newer')}`,
  )
  const [count, last] = (await connection.query(statement.sql, statement.parameters)).rows[0] ?? []
  return { rows: Number(count ?? 0), last: last ?? null }
}

function waiting(rows: number, table: string, window: string, until: string): string {
  if (rows === 1) return `1 row of ${table} is newer than ${window}, and waits ${until}`
  const many = rows > MOST_COUNTED ? `more than ${MOST_COUNTED}` : rows
  return `${many} rows of ${table} are newer than ${window}, and wait ${until}`
}

/** When the last of them will be settled. */
function readAfter({ rows, last }: Moments, { now, lagSeconds }: Settled): string {
  const stamps = [last === null ? null : microsOf(last), rows > MOST_COUNTED ? microsOf(now) : null]
  const newest = stamps.reduce<bigint>((most, one) => (one !== null && one > most ? one : most), 0n)
  return instantText(newest + BigInt(Math.round(lagSeconds * 1_000_000)))
}
