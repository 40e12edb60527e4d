import { sql } from 'kysely'
import type { ZoneCapabilities } from '../capabilities.ts'

/**
 * Of the two moments in the hour that comes twice, PostgreSQL takes the later one.
 * https://github.com/postgres/postgres/blob/REL_17_0/src/backend/utils/adt/datetime.c (DetermineTimeZoneOffset)
 */
export const zones: ZoneCapabilities = {
  momentOf: (local, zone) => sql`(cast(${local} as timestamp) at time zone ${sql.lit(zone)})`,
  localOf: (moment, zone) => sql`(${moment} at time zone ${sql.lit(zone)})`,
  moment: (text) => sql`cast(${`${text}+00`} as timestamptz)`,
  remedy: "name one of the server's pg_timezone_names",
}
