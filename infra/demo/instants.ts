const MICROSECONDS_A_DAY = 86_400_000_000

/**
 * Microseconds since 1970 of an instant in UTC: `2026-11-23 07:00:00`, with a fraction of up to six digits or `T` and
 * `Z` or not.
 */
export function toMicroseconds(instant: string): number {
  const match = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6})\d*)?(?:Z|\+00(?::?00)?)?$/.exec(instant)
  const seconds = match ? Date.parse(`${match[1]}T${match[2]}Z`) : Number.NaN
  if (Number.isNaN(seconds))
    throw new RangeError(`The instant ${instant} is not of the form 2026-11-23 07:00:00 in UTC.`)
  return seconds * 1000 + Number((match?.[3] ?? '').padEnd(6, '0'))
}

const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))
const dates = new Map<number, string>()

function dateOf(day: number): string {
  let date = dates.get(day)
  if (date === undefined) {
    date = new Date(day * (MICROSECONDS_A_DAY / 1000)).toISOString().slice(0, 10)
    dates.set(day, date)
  }
  return date
}

/** `2026-11-23 07:00:00` */
export function toSeconds(microseconds: number): string {
  const day = Math.floor(microseconds / MICROSECONDS_A_DAY)
  const second = Math.floor((microseconds - day * MICROSECONDS_A_DAY) / 1e6)
  const minute = Math.floor(second / 60)
  return `${dateOf(day)} ${TWO_DIGITS[Math.floor(minute / 60)]}:${TWO_DIGITS[minute % 60]}:${TWO_DIGITS[second % 60]}`
}

/** `2026-11-23 07:00:00.123456` */
export function toInstant(microseconds: number): string {
  const fraction = microseconds - Math.floor(microseconds / 1e6) * 1e6
  return `${toSeconds(microseconds)}.${String(fraction).padStart(6, '0')}`
}

export function daysBefore(microseconds: number, days: number): number {
  return microseconds - days * MICROSECONDS_A_DAY
}
