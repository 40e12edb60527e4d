import { type RawBuilder, sql } from 'kysely'
import type { TextStamps } from '../capabilities.ts'

const READABLE =
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]'

function normalised(column: RawBuilder<unknown>): RawBuilder<unknown> {
  const withoutZone = sql`replace(replace(substr(${column}, 12), 'Z', ''), '+00:00', '')`
  return sql`substr(substr(${column}, 1, 10) || ' ' || case when length(${column}) = 10 then '00:00:00' else ${withoutZone} end || case when instr(${column}, '.') = 0 then '.' else '' end || '000000', 1, 26)`
}

/** SQLite keeps time stamps as text of any form, and compares them as text. */
export const textStamps: TextStamps = {
  normalised,
  isUnreadable: (column) =>
    sql`(not (${normalised(column)} glob ${READABLE}) or substr(${column}, 11, 1) not in (' ', 'T', ''))`,
  saysZone: (column) => sql`(${column} like '%Z' or ${column} like '%+00:00')`,
  plain: (column) => column,
  lengthWithoutFraction: (column) => sql`case when instr(${column}, '.') = 0 then length(${column}) end`,
}
