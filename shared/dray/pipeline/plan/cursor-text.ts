import { type RawBuilder, sql } from 'kysely'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import type { ColumnDefinition, TableDefinition } from '#dray/active-record/table-definition.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import type { TextStamps } from '#dray/database/capabilities.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import { instantText, microsOf } from '#dray/pipeline/texts/instant.ts'

const DAY_MICROS = 86_400_000_000n

/** The stamps of a window. The days around it are compared as they are, so that an index is of use. */
export function stampWithin(
  { normalised }: TextStamps,
  column: ColumnDefinition,
  lo: string | null,
  hi: string,
): RawBuilder<unknown> {
  const name = columnName(column)
  const stamp = normalised(name)
  const dayAfter = instantText((microsOf(hi) ?? 0n) + DAY_MICROS).slice(0, 10)
  const below = sql`${name} < ${dayAfter} and ${stamp} < ${fixed(hi)}`
  return lo === null ? below : sql`${name} >= ${lo.slice(0, 10)} and ${stamp} >= ${fixed(lo)} and ${below}`
}

function fixed(text: string): string {
  const micros = microsOf(text)
  return micros === null ? text : instantText(micros)
}

const SECOND = 1_000_000n

/**
 * The unit to which stamps are cut, in microseconds: one without a fraction says that they are cut to the second, as
 * CURRENT_TIMESTAMP does. Throws `Terminal` when one cannot be put in order with the others: it has an offset, is a
 * number, or has no date.
 */
export async function stampUnitOfText(
  { isUnreadable, lengthWithoutFraction }: TextStamps,
  definition: TableDefinition,
  column: ColumnDefinition,
  connection: Connection,
  adapter: Adapter,
): Promise<bigint> {
  const name = columnName(column)
  const isBad = isUnreadable(name)
  const statement = compile(
    adapter,
    sql`select sum(${isBad}), min(case when ${isBad} then ${name} end), min(${lengthWithoutFraction(name)}) from ${tableName(definition)} where ${name} is not null`,
  )
  const [bad, example, shortest] = (await connection.query(statement.sql, statement.parameters)).rows[0] ?? []
  const rows = Number(bad ?? 0)
  if (rows === 0) return shortest === '10' ? DAY_MICROS : (shortest ?? null) === null ? 1n : SECOND
  throw new TerminalError(
    `${definition.database}.${definition.table}: ${column.column} of ${rows} ${rows === 1 ? 'row' : 'rows'} is not a time stamp in UTC that can be compared with the others (such as ${JSON.stringify(example)}), so rows could fall between two windows and nothing was read; write them as YYYY-MM-DD HH:MM:SS, with a T, a fraction or a Z if you like, and without another offset`,
  )
}
