import { type RawBuilder, sql } from 'kysely'
import { tableName } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import type { Connection, Settled } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { instantText, microsOf } from '#dray/pipeline/texts/instant.ts'
import { cursorColumn, cursorForm } from './cursor-form.ts'
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
  const moments = (condition: RawBuilder<unknown>) =>
    sql`select ${form.moment} as ${sql.id('moment')} from ${tableName(definition)} where ${condition}`
  const look = async (rows: RawBuilder<unknown>): Promise<{ rows: number; last: Text }> => {
    const statement = compile(
      table.adapter,
      sql`select count(*), max(${sql.id('moment')}) from (${rows}) as ${sql.id('newer')}`,
    )
    const [count, last] = (await connection.query(statement.sql, statement.parameters)).rows[0] ?? []
    return { rows: Number(count ?? 0), last: last ?? null }
  }
  const limit = sql.raw(` limit ${MOST_COUNTED + 1}`)
  if (settled === null) {
    const { rows } = await look(sql`${moments(form.from(hi))}${limit}`)
    return rows === 0 ? [] : [waiting(rows, name, 'the window', 'until what is open now has ended')]
  }
  const far = instantText((microsOf(settled.now) ?? 0n) + DAY_MICROS)
  const soon = await look(sql`${moments(sql`${form.from(hi)} and ${form.before(far)}`)}${limit}`)
  const later = await look(moments(form.from(far)))
  const notes: string[] = []
  if (soon.rows > 0) {
    const until = settled.heldBy ?? `for a run after ${readAfter(soon, settled)} UTC (lag ${settled.lagSeconds} s)`
    notes.push(waiting(soon.rows, name, `the window, which ends at ${hi} UTC`, until))
  }
  if (later.rows > 0) {
    notes.push(
      `${later.rows} ${later.rows === 1 ? 'row' : 'rows'} of ${name} beyond ${far} UTC by ${cursorColumn(extraction).column} (up to ${later.last}): in no window before that time, so not read; correct the stamps`,
    )
  }
  return notes
}

function waiting(rows: number, table: string, window: string, until: string): string {
  if (rows === 1) return `1 row of ${table} is newer than ${window}, and waits ${until}`
  const many = rows > MOST_COUNTED ? `more than ${MOST_COUNTED}` : rows
  return `${many} rows of ${table} are newer than ${window}, and wait ${until}`
}

/** When the last of them will be settled. */
function readAfter(
  { rows, last }: { readonly rows: number; readonly last: Text },
  { now, lagSeconds }: Settled,
): string {
  const stamps = [last === null ? null : microsOf(last), rows > MOST_COUNTED ? microsOf(now) : null]
  const newest = stamps.reduce<bigint>((most, one) => (one !== null && one > most ? one : most), 0n)
  return instantText(newest + BigInt(Math.round(lagSeconds * 1_000_000)))
}
