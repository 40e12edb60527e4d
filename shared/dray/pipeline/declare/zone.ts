import { ConfigurationError } from '#dray/errors.ts'

const UTC = /^(?:Etc\/)?(?:UTC|UCT|GMT|Universal|Zulu|Greenwich)$/i

export function isUtc(zone: string): boolean {
  return UTC.test(zone)
}

/**
 * A zone by its name in the IANA database. Abbreviations and offsets are refused: databases read them in different ways
 * (PostgreSQL takes `CET` for a zone without summer time, and `+02:00` for two hours west). Throws `Configuration`.
 */
export function zoneNamed(zone: string, where: string): string {
  if (isUtc(zone)) return zone
  if (zone.includes('/')) {
    try {
      Intl.DateTimeFormat('en', { timeZone: zone })
      return zone
    } catch {
      // Not known.
    }
  }
  throw new ConfigurationError(
    `${where}: "${zone}" is no name of a zone; write 'UTC', or an area and a place, 'America/New_York'`,
  )
}
