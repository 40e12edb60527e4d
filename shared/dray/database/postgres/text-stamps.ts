import { type RawBuilder, sql } from 'kysely'
import type { TextStamps } from '../capabilities.ts'

const DATE = '[0-9]{4}-[0-1][0-9]-[0-3][0-9]'
const TIME = '[ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+]00(:?00)?)?'
const READABLE = `^${DATE}(${TIME})?$`
const SAYS_ZONE = '(Z|[+]00(:?00)?)$'

const textOf = (column: RawBuilder<unknown>) => sql`cast(${column} as text)`

function normalised(column: RawBuilder<unknown>): RawBuilder<unknown> {
  const text = textOf(column)
  const time = sql`case when length(${text}) = 10 then '00:00:00' else regexp_replace(substr(${text}, 12), ${sql.lit(SAYS_ZONE)}, '') end`
  return sql`substr(substr(${text}, 1, 10) || ' ' || ${time} || case when strpos(${text}, '.') = 0 then '.' else '' end || '000000', 1, 26) collate "C"`
}

/** Time stamps in a column of a type of text. */
export const textStamps: TextStamps = {
  normalised,
  isUnreadable: (column) => sql`(${textOf(column)} !~ ${sql.lit(READABLE)})`,
  saysZone: (column) => sql`(${textOf(column)} ~ ${sql.lit(`:[^:]*${SAYS_ZONE}|Z$`)})`,
  plain: (column) => sql`${textOf(column)} collate "C"`,
  lengthWithoutFraction: (column) =>
    sql`case when strpos(${textOf(column)}, '.') = 0 then length(${textOf(column)}) end`,
}
