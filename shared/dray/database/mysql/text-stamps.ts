import { type RawBuilder, sql } from 'kysely'
import type { TextStamps } from '../capabilities.ts'

const DATE = '[0-9]{4}-[0-1][0-9]-[0-3][0-9]'
const TIME = '[ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+]00(:?00)?)?'
const READABLE = `^${DATE}(${TIME})?$`

/** Compared by its bytes, whatever the collation. */
const textOf = (column: RawBuilder<unknown>) => sql`convert(${column} using utf8mb4) collate utf8mb4_bin`

function normalised(column: RawBuilder<unknown>): RawBuilder<unknown> {
  const text = textOf(column)
  const withoutZone = sql`replace(replace(replace(substr(${text}, 12), 'Z', ''), '+00:00', ''), '+00', '')`
  const time = sql`case when char_length(${text}) = 10 then '00:00:00' else ${withoutZone} end`
  return sql`substr(concat(substr(${text}, 1, 10), ' ', ${time}, case when instr(${text}, '.') = 0 then '.' else '' end, '000000'), 1, 26)`
}

/** Time stamps in a column of a type of text. */
export const textStamps: TextStamps = {
  normalised,
  isUnreadable: (column) => sql`(not (${textOf(column)} regexp ${sql.lit(READABLE)}))`,
  saysZone: (column) => sql`(${textOf(column)} regexp ${sql.lit(':[^:]*[+]00(:?00)?$|Z$')})`,
  plain: textOf,
  lengthWithoutFraction: (column) =>
    sql`case when instr(${textOf(column)}, '.') = 0 then char_length(${textOf(column)}) end`,
}
