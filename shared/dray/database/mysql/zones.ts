import { type RawBuilder, sql } from 'kysely'
import type { ZoneCapabilities } from '../capabilities.ts'

/** By how much clocks are set back: half an hour on Lord Howe Island, an hour elsewhere. */
const SET_BACK = ['30 minute', '1 hour'] as const

/** NULL without the server's tables of zones. Which of the two readings CONVERT_TZ takes is not documented. */
function momentOf(local: RawBuilder<unknown>, zone: string): RawBuilder<unknown> {
  const utc = sql`convert_tz(${local}, ${sql.lit(zone)}, '+00:00')`
  const later = SET_BACK.map((time) => {
    const moment = sql`${utc} + interval ${sql.raw(time)}`
    return sql`if(convert_tz(${moment}, '+00:00', ${sql.lit(zone)}) = ${local}, ${moment}, ${utc})`
  })
  return sql`cast(greatest(${sql.join(later)}) as datetime(6))`
}

export const zones: ZoneCapabilities = {
  momentOf,
  localOf: (moment, zone) => sql`convert_tz(${moment}, '+00:00', ${sql.lit(zone)})`,
  moment: (text) => sql`cast(${text} as datetime(6))`,
  remedy:
    'fill the tables of zones, `mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql -u root mysql` (MariaDB: mariadb-tzinfo-to-sql)',
}
