import { type RawBuilder, sql } from 'kysely'
import { tableName } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import type { Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { compareInstants, instantText, microsOf } from '#dray/pipeline/texts/instant.ts'
import { startOfCursorUnit } from './checked-cursor.ts'
import { cursorForm } from './cursor-form.ts'
import { cursorOf } from './cursor-value.ts'
import type { SourceTable } from './source-table.ts'
import { rangeCondition, type Window } from './window.ts'

interface Reading {
  readonly extraction: Extraction
  readonly connection: Connection
  readonly table: SourceTable
}

/**
 * Where the part of a window ends that one run reads, behind `lastRun`; null where it is all of it. Each part has a
 * row, and all rows of one moment are in one part, so a run after another comes to the window's end.
 */
export async function endOfPart(
  reading: Reading,
  { hi }: Pick<Window, 'hi'>,
  lastRun: string | null,
  unit: bigint,
): Promise<string | null> {
  const { extraction, connection, table } = reading
  const { firstLoad } = extraction
  if (firstLoad === null) return null
  const window = { lo: lastRun, hi }
  const first = await momentAt(reading, window, 0)
  if (first === null) return null
  if ('seconds' in firstLoad) {
    const micros = microsOf(first)
    if (micros === null) return null
    const after = instantText(micros + BigInt(firstLoad.seconds) * 1_000_000n)
    const end = await startOfCursorUnit(extraction, after, unit, connection, table)
    if (!isBetween(extraction, end, first, hi)) return null
    return (await momentAt(reading, { lo: end, hi }, 0)) === null ? null : end
  }
  const last = await momentAt(reading, window, firstLoad.rows)
  if (last === null) return null
  const end = last === first ? await momentBehind(reading, window, first) : last
  return end !== null && isBetween(extraction, end, first, hi) ? end : null
}

function isBetween(extraction: Extraction, end: string, first: string, hi: string): boolean {
  if (cursorOf(extraction).kind !== 'timestamp') return BigInt(first) < BigInt(end) && BigInt(end) < BigInt(hi)
  return compareInstants(first, end) < 0 && compareInstants(end, hi) < 0
}

/** The moment of the row at this place of the window, in their order. */
function momentAt({ extraction, connection, table }: Reading, window: Pick<Window, 'lo' | 'hi'>, place: number) {
  const { moment } = cursorForm(extraction, table)
  const within = rangeCondition(extraction, window, table)
  const offset = place === 0 ? sql`` : sql` offset ${sql.raw(String(place))}`
  return read(
    { extraction, connection, table },
    sql`select ${moment} from ${tableName(extraction.source.definition)} where ${within} order by ${moment} limit 1${offset}`,
  )
}

/** The next moment that a row of the window has. */
function momentBehind(reading: Reading, { hi }: Pick<Window, 'hi'>, first: string) {
  const { extraction, table } = reading
  const { moment } = cursorForm(extraction, table)
  const behind =
    cursorOf(extraction).kind !== 'timestamp'
      ? String(BigInt(first) + 1n)
      : instantText((microsOf(first) as bigint) + 1n)
  const within = rangeCondition(extraction, { lo: behind, hi }, table)
  return read(
    reading,
    sql`select ${moment} from ${tableName(extraction.source.definition)} where ${within} order by ${moment} limit 1`,
  )
}

async function read(
  { extraction, connection, table }: Reading,
  statement: RawBuilder<unknown>,
): Promise<string | null> {
  const { sql: text, parameters } = compile(table.adapter, statement)
  const found: Text = (await connection.query(text, parameters)).rows[0]?.[0] ?? null
  if (found === null || cursorOf(extraction).kind !== 'timestamp') return found
  const micros = microsOf(found)
  return micros === null ? null : instantText(micros)
}
