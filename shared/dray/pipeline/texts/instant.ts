import { timestampOf } from '#dray/active-record/values.ts'
import type { Capabilities } from '#dray/database/capabilities.ts'
import { ConfigurationError, DataQualityError } from '#dray/errors.ts'

const TEXT = /^(\d{4,6})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?$/

/** Microseconds since 1970 of a time stamp in UTC; null for `infinity` and for years before 1, which no clock says. */
export function microsOf(text: string): bigint | null {
  const parts = TEXT.exec(timestampOf(text))
  if (parts === null) return null
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number)
  const moment = new Date(0)
  moment.setUTCFullYear(year, month - 1, day)
  moment.setUTCHours(hour, minute, second)
  return BigInt(moment.getTime()) * 1000n + BigInt((parts[7] ?? '').padEnd(6, '0'))
}

/** `YYYY-MM-DD HH:MM:SS.ffffff`: always of the same length, so that texts compare as the instants do. */
export function instantText(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
  const iso = new Date(Number((micros - fraction) / 1000n)).toISOString()
  const year = iso.startsWith('+') ? iso.slice(1, 7).replace(/^0+/, '') : iso.slice(0, 4)
  const rest = iso.slice(iso.startsWith('+') ? 7 : 4, -5).replace('T', ' ')
  return `${year}${rest}.${String(fraction).padStart(6, '0')}`
}

/** An instant as a person writes it, in the form of `last_run`. Throws `Configuration`. */
export function instantOf(text: string, what: string): string {
  try {
    const micros = microsOf(text)
    if (micros !== null) return instantText(micros)
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
  }
  throw new ConfigurationError(
    `${what} ${JSON.stringify(text)} is not a point in time, so nothing was done; write it as 2024-06-01T12:00:00Z or "2024-06-01 12:00:00.123456" (UTC)`,
  )
}

/** The later of two instants is positive. Texts of different forms compare as the instants they say. */
export function compareInstants(one: string, other: string): number {
  const [left, right] = [microsOf(one), microsOf(other)]
  if (left === null || right === null) return one < other ? -1 : one > other ? 1 : 0
  return left < right ? -1 : left > right ? 1 : 0
}

/** So many seconds before an instant. */
export function secondsBefore(text: string, seconds: number): string {
  const micros = microsOf(text)
  return micros === null ? text : instantText(micros - BigInt(Math.round(seconds * 1_000_000)))
}

/** The start of the unit of time (in microseconds) that an instant is in. */
export function startOfUnit(text: string, unit: bigint): string {
  const micros = microsOf(text)
  if (micros === null) return text
  return instantText(micros - (((micros % unit) + unit) % unit))
}

const DAY = 86_400_000_000n
const DIGITS = /^(?:timestamp|datetime)\s*(?:\((\d)\))?/i

/** The unit, in microseconds, to which a column of this live type cuts time stamps. */
export function unitOfType(type: string, { stampDigits }: Pick<Capabilities, 'stampDigits'>): bigint {
  if (/^date$/i.test(type)) return DAY
  const digits = DIGITS.exec(type)
  if (digits === null) return 1n
  return 10n ** BigInt(6 - Math.min(6, Number(digits[1] ?? stampDigits)))
}
