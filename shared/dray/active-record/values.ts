import { DataQualityError } from '#dray/errors.ts'

declare const brand: unique symbol

/** An exact decimal as text, e.g. `-12.340`; also `NaN`, `Infinity`, `-Infinity` where the database has them. */
export type Decimal = string & { readonly [brand]: 'decimal' }
/** A calendar date as text, `YYYY-MM-DD`. */
export type DateText = string & { readonly [brand]: 'date' }
/** A point in time in UTC, exact to the microsecond: `YYYY-MM-DD HH:MM:SS[.ffffff]`; also `infinity`, `-infinity`. */
export type Timestamp = string & { readonly [brand]: 'timestamp' }
/** A JSON document as the database wrote it: numbers of any size and duplicate keys survive. */
export type JsonText = string & { readonly [brand]: 'json' }

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/
const SPECIAL_NUMBERS = new Set(['NaN', 'Infinity', '-Infinity'])

function invalid(kind: string, value: string): never {
  const text = String(value)
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text
  throw new DataQualityError('', `invalid_${kind}`, `${JSON.stringify(shown)} is not a ${kind}`)
}

/** The place of the point in plain digits (`-12.30`: 3), their length without one; -1 for any other text. */
function pointIn(text: string): number {
  let point = -1
  const start = text.charCodeAt(0) === 45 ? 1 : 0
  for (let index = start; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 48
    if (digit >= 0 && digit <= 9) continue
    if (digit !== -2 || point >= 0 || index === start) return -1
    point = index
  }
  return text.length === start ? -1 : point < 0 ? text.length : point
}

/** Takes text for an exact decimal; throws `DataQuality` when it is none. */
export function decimalOf(text: string): Decimal {
  if (pointIn(text) >= 0) return text as Decimal
  if (!DECIMAL.test(text) && !SPECIAL_NUMBERS.has(text)) invalid('decimal', text)
  return text as Decimal
}

/**
 * True for a decimal whose digits all have a place: `precision` of them, `scale` behind the point; for NaN and
 * infinity, too.
 */
export function fitsDecimal(value: Decimal, precision: number, scale: number): boolean {
  const place = pointIn(value)
  if (place >= 0 && place <= precision - scale && value.length - place - 1 <= scale) return true
  if (SPECIAL_NUMBERS.has(value)) return true
  const [mantissa = '', exponent = '0'] = value.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.replace(/^[+-]/, '').split('.')
  const digits = whole + fraction
  let first = 0
  while (digits[first] === '0') first += 1
  let end = digits.length
  while (end > first && digits[end - 1] === '0') end -= 1
  if (first === end) return true
  const point = whole.length + Number(exponent)
  return end - point <= scale && point - first <= precision - scale
}

const DATE = /^(\d{4,7})-(\d{2})-(\d{2})( BC)?$/

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function isCalendarDate(year: number, month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

/** Takes `YYYY-MM-DD` for a date; throws `DataQuality` when it is none (`2021-02-30`, a zero date). */
export function dateOf(text: string): DateText {
  if (text.length === 10 && isDateAt(text)) return text as DateText
  const parts = DATE.exec(text)
  if (parts === null) {
    if (text === 'infinity' || text === '-infinity') return text as DateText
    return invalid('date', text)
  }
  if (!isCalendarDate(Number(parts[1]), Number(parts[2]), Number(parts[3]))) invalid('date', text)
  return text as DateText
}

const TIMESTAMP =
  /^(\d{4,6})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}(?::?\d{2})?(?::?\d{2})?)?( BC)?$/

function digitAt(text: string, index: number): number {
  return text.charCodeAt(index) - 48
}

/** Two digits as a number, or NaN; no substring, no regular expression. */
function pairAt(text: string, index: number): number {
  const tens = digitAt(text, index)
  const ones = digitAt(text, index + 1)
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

function isDateAt(text: string): boolean {
  const year = pairAt(text, 0) * 100 + pairAt(text, 2)
  if (Number.isNaN(year) || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return false
  return isCalendarDate(year, pairAt(text, 5), pairAt(text, 8))
}

/**
 * The common case: `YYYY-MM-DD HH:MM:SS`, with microseconds that end in no zero, in UTC or with `+00`. Null for any
 * other.
 */
function plainTimestamp(text: string): Timestamp | null {
  if (text.length < 19 || text.charCodeAt(10) !== 32 || text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58)
    return null
  if (!isDateAt(text)) return null
  if (!(pairAt(text, 11) <= 23 && pairAt(text, 14) <= 59 && pairAt(text, 17) <= 59)) return null
  const end = text.endsWith('+00') ? text.length - 3 : text.length
  if (end > 19) {
    if (end > 26 || end < 21 || text.charCodeAt(19) !== 46 || text.charCodeAt(end - 1) === 48) return null
    for (let index = 20; index < end; index++) {
      const digit = digitAt(text, index)
      if (!(digit >= 0 && digit <= 9)) return null
    }
  }
  return (end === text.length ? text : text.slice(0, end)) as Timestamp
}

/**
 * Takes a time stamp in ISO 8601 or as a database prints it. One with an offset is moved to UTC, one without is UTC
 * already. Throws `DataQuality` when it is none, or has digits beyond the microsecond that are not zero.
 */
export function timestampOf(text: string): Timestamp {
  if (typeof text !== 'string') return invalid('timestamp', text)
  const plain = plainTimestamp(text)
  if (plain !== null) return plain
  if (text === 'infinity' || text === '-infinity') return text as Timestamp
  const parts = TIMESTAMP.exec(text)
  if (parts === null) return invalid('timestamp', text)
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00', fraction = '', zone, era] = parts
  if (!isCalendarDate(Number(year), Number(month), Number(day))) invalid('timestamp', text)
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || /[1-9]/.test(fraction.slice(6))) {
    invalid('timestamp', text)
  }
  const micros = fraction.slice(0, 6).replace(/0+$/, '')
  const suffix = (micros === '' ? '' : `.${micros}`) + (era ?? '')
  const offset = zone === undefined ? 0 : offsetSeconds(zone)
  if (offset === 0) return `${year}-${month}-${day} ${hour}:${minute}:${second}${suffix}` as Timestamp
  return shiftToUtc(text, [year, month, day, hour, minute, second].map(Number), offset, suffix)
}

function offsetSeconds(zone: string): number {
  if (zone === 'Z') return 0
  const digits = zone.slice(1).replaceAll(':', '').padEnd(6, '0')
  const seconds = Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2, 4)) * 60 + Number(digits.slice(4, 6))
  return zone.startsWith('-') ? -seconds : seconds
}

function shiftToUtc(text: string, parts: number[], offset: number, suffix: string): Timestamp {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts
  if (suffix.endsWith('BC')) return invalid('timestamp', text)
  const moment = new Date(0)
  moment.setUTCFullYear(year, month - 1, day)
  moment.setUTCHours(hour, minute, second - offset)
  if (Number.isNaN(moment.getTime()) || moment.getUTCFullYear() < 1) return invalid('timestamp', text)
  const pad = (value: number, length = 2) => String(value).padStart(length, '0')
  const date = `${pad(moment.getUTCFullYear(), 4)}-${pad(moment.getUTCMonth() + 1)}-${pad(moment.getUTCDate())}`
  const time = `${pad(moment.getUTCHours())}:${pad(moment.getUTCMinutes())}:${pad(moment.getUTCSeconds())}`
  return `${date} ${time}${suffix}` as Timestamp
}

/** The date part of a time stamp, in UTC. */
export function dateOfTimestamp(timestamp: Timestamp): DateText {
  return timestamp.slice(0, timestamp.indexOf(' ')) as DateText
}
