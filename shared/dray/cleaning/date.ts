import { monthNamed, weekdaysNamed } from './date-names.ts'
import { type Cleaned, NOTHING, refused } from './finding.ts'
import { cleanText } from './text.ts'

/** How `03/04/2022` is read: `dmy` is 3 April, `mdy` is March 4. */
export type DateOrder = 'dmy' | 'mdy'

interface DateOptions {
  /**
   * For slashes and dashes; dots are always day first. Where it is not given, a date that could be both is null with a
   * finding.
   */
  readonly order?: DateOrder
  /** The field named in findings. */
  readonly field?: string
}

/** Longer text is no date. */
const LONGEST = 100

const CLOCK = String.raw`(?:[01]?\d|2[0-3]):[0-5]\d(?::(?:[0-5]\d|60)(?:[.,]\d{1,9})?)?`
/** From twelve hours behind UTC to fourteen before it. */
const OFFSET = String.raw`[+-](?:0\d|1[0-4]):?(?:[0-5]\d)?`
/** What stands behind a time of day. Any other word would change what is said: `10:00 not`. */
const ZONES =
  '(?:Z|UTC?|GMT|WES?T|CES?T|EES?T|MES?T|MES?Z|BST|IST|MSK|[ECMP][SD]T|AK[SD]T|HST|A[EC][SD]T|AWST|NZ[SD]T|' +
  'JST|KST|HKT|SGT|PHT|MYT|ICT|WIB|WITA|WIT|PKT|NPT|GST|TRT|IDT|SAST|[WCE]AT|BRT|ART|CLS?T|Uhr|hrs?|h)'

const TIME = new RegExp(
  String.raw`^[T, ] ?(?:at )?(?!(?:1[3-9]|2\d):[\d:.,]* ?A\.?M\b)${CLOCK}(?: ?[AP]\.?M\.?)?` +
    String.raw`(?: ?(?:${ZONES}|(?:GMT|UTC)?${OFFSET}(?: \([\p{L}\d :+-]{1,50}\))?))?$`,
  'iu',
)
const YEAR_FIRST = /^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)/
/** ISO 8601 without dashes and colons: `20240131T101112Z`. */
const COMPACT = new RegExp(
  String.raw`^(\d{4})(\d{2})(\d{2})T(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d|60)?(?:[.,]\d{1,9})?(?:Z|${OFFSET})?$`,
  'i',
)
/** `2022年3月11日`, `2022년 3월 11일`. */
const EAST_ASIAN = /^(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]/
const YEAR_LAST = /^(\d{1,2})(?:([/-])(\d{1,2})\2|\. ?(\d{1,2})\. ?)(\d{4})(?!\d)/
const DAY_MONTH_YEAR =
  /^(\d{1,2})(?:st|nd|rd|th|\.|er|º)?[ -]?(?:de |of )?(\p{L}{3,12})\.?,?[ -]?(?:de |of )?(\d{4})(?!\d)/iu
const MONTH_DAY_YEAR = /^(\p{L}{3,12})\.?[ -](\d{1,2})(?:st|nd|rd|th)?(?:,? |-)(\d{4})(?!\d)/iu
const WORD_FIRST = /^([\p{L}'’ʼ-]{2,15})\.?,? (?=\S)/u
/** How JavaScript and C print a date: `Fri Mar 11 2022 …`, `Fri Mar 11 10:00:00 2022`. */
const C_TIME = new RegExp(String.raw`^(\p{L}{3}) (\d{1,2}) ${CLOCK}(?: ${ZONES})? (\d{4})$`, 'iu')

/** Before it the calendar was another one; the years of Iran and of Islam are before it, too. */
const FIRST_YEAR = 1583
/** Behind it begin the years of the Buddhist calendar. */
const LAST_YEAR = 2200
/** By these, databases say that a time has no beginning and no end. */
const WITHOUT_END = new Set(['0001-01-01', '9999-12-31'])

const pad = (value: number, length: number): string => String(value).padStart(length, '0')

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function exists(year: number, month: number, day: number): boolean {
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month)
}

/** The number that the digits from `start` to `end` spell, or -1. */
function digits(text: string, start: number, end: number): number {
  let number = 0
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 48
    if (!(digit >= 0 && digit <= 9)) return -1
    number = number * 10 + digit
  }
  return number
}

/** `2022-03-11` and `2022-03-11 09:30:00`, by character codes alone; null for any other form. */
function plainIsoDate(text: string): string | null {
  const dashes = text.charCodeAt(4) === 45 && text.charCodeAt(7) === 45
  if (!dashes || !(text.length === 10 || text.length === 19)) return null
  const year = digits(text, 0, 4)
  if (year < FIRST_YEAR || year > LAST_YEAR || !exists(year, digits(text, 5, 7), digits(text, 8, 10))) return null
  if (text.length === 10) return text
  const separator = text.charCodeAt(10)
  const colons = text.charCodeAt(13) === 58 && text.charCodeAt(16) === 58
  if (!colons || (separator !== 32 && separator !== 84)) return null
  const [hour, minute, second] = [digits(text, 11, 13), digits(text, 14, 16), digits(text, 17, 19)]
  return hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 61 ? text.slice(0, 10) : null
}

/** Why a date that can be read is none for all that. */
const DOUBTS = {
  exchanged: ['ambiguous', 'Day and month could be exchanged; the date was set to NULL. Give `order`.'],
  digits: ['ambiguous', 'The digits may be a date with an hour or seconds since 1970; the date was set to NULL.'],
  order: ['contradiction', 'Day and month stand against the order that is given; the date was set to NULL.'],
  weekday: ['contradiction', 'The date is not of the weekday that stands before it; it was set to NULL.'],
} as const

interface Parts {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly doubt?: keyof typeof DOUBTS
}

/** Whether the digits are a date of our time and an hour, `1960031109`: they may be seconds since 1970 as well. */
function isHour(text: string): boolean {
  const year = digits(text, 0, 4)
  return (
    year >= 1800 &&
    year <= LAST_YEAR &&
    exists(year, digits(text, 4, 6), digits(text, 6, 8)) &&
    digits(text, 8, 10) < 24
  )
}

function fromEpoch(seconds: number): Parts | null {
  // September 2001 to May 2033: other digits are keys and numbers of goods as often as not.
  if (seconds < 1_000_000_000 || seconds >= 2_000_000_000) return null
  const date = new Date(seconds * 1000)
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() }
}

/** `20220311`, `202203110930`, `20220311093000`, or an epoch in seconds (10 digits) or milliseconds (13). */
function fromDigits(text: string): Parts | null {
  const length = text.length
  if (length === 8 || length === 12 || length === 14) {
    const [hour, minute, second] = [8, 10, 12].map((at) => (at < length ? digits(text, at, at + 2) : 0))
    if (Math.max(Number(hour) - 24, Number(minute) - 60, Number(second) - 61) >= 0) return null
    return { year: digits(text, 0, 4), month: digits(text, 4, 6), day: digits(text, 6, 8) }
  }
  if (length === 10) {
    const seconds = fromEpoch(digits(text, 0, 10))
    return seconds && isHour(text) ? { ...seconds, doubt: 'digits' } : seconds
  }
  return length === 13 ? fromEpoch(Math.floor(digits(text, 0, 13) / 1000)) : null
}

function isEnd(text: string, from: number): boolean {
  return from === text.length || TIME.test(text.slice(from))
}

function fromYearLast(match: RegExpExecArray, order: DateOrder | undefined): Parts {
  const first = Number(match[1])
  const second = Number(match[3] ?? match[4])
  const year = Number(match[5])
  const dayFirst = { year, month: second, day: first }
  const monthFirst = { year, month: first, day: second }
  if (match[4] !== undefined || first === second) return dayFirst
  if (first > 12) return order === 'mdy' ? { ...dayFirst, doubt: 'order' } : dayFirst
  if (second > 12) return order === 'dmy' ? { ...monthFirst, doubt: 'order' } : monthFirst
  if (order === undefined) return { ...dayFirst, doubt: 'exchanged' }
  return order === 'dmy' ? dayFirst : monthFirst
}

function fromNumbers(text: string, order: DateOrder | undefined): Parts | null {
  const compact = COMPACT.exec(text)
  if (compact) return { year: Number(compact[1]), month: Number(compact[2]), day: Number(compact[3]) }
  const yearFirst = YEAR_FIRST.exec(text)
  if (yearFirst) {
    if (!isEnd(text, yearFirst[0].length)) return null
    return { year: Number(yearFirst[1]), month: Number(yearFirst[3]), day: Number(yearFirst[4]) }
  }
  const eastAsian = EAST_ASIAN.exec(text)
  if (eastAsian && isEnd(text, eastAsian[0].length)) {
    return { year: Number(eastAsian[1]), month: Number(eastAsian[2]), day: Number(eastAsian[3]) }
  }
  const yearLast = YEAR_LAST.exec(text)
  return yearLast && isEnd(text, yearLast[0].length) ? fromYearLast(yearLast, order) : null
}

/** `weekday` is the word before the text; null where there is none. */
function fromMonthName(text: string, weekday: string | null): Parts | null {
  const dayFirst = DAY_MONTH_YEAR.exec(text)
  const monthFirst = dayFirst ? null : (C_TIME.exec(text) ?? MONTH_DAY_YEAR.exec(text))
  const match = dayFirst ?? monthFirst
  if (!match || !isEnd(text, match[0].length)) return null
  const [name = '', day] = dayFirst ? [match[2], match[1]] : [match[1], match[2]]
  const month = monthNamed(name)
  if (month === null) return null
  const parts = { year: Number(match[3]), month, day: Number(day) }
  if (weekday === null) return parts
  const weekdays = weekdaysNamed(weekday, name)
  if (weekdays.size === 0) return null
  const isThat = weekdays.has(new Date(Date.UTC(parts.year, month - 1, parts.day)).getUTCDay())
  return isThat ? parts : { ...parts, doubt: 'weekday' }
}

function read(text: string, order: DateOrder | undefined): Parts | null {
  if (digits(text, 0, text.length) >= 0) return fromDigits(text)
  const word = WORD_FIRST.exec(text)
  return (
    fromNumbers(text, order) ??
    fromMonthName(text, null) ??
    (word && fromMonthName(text.slice(word[0].length), word[1] ?? ''))
  )
}

/**
 * A calendar date as `YYYY-MM-DD`, whatever the format: ISO 8601, numbers, names of months in two dozen languages,
 * digits (`20220311`, `202203110930`, `20220311093000`), seconds or milliseconds since 1970 of the years 2001 to 2033.
 * A timestamp gives the date as it is written, not shifted by its zone; an epoch the date in UTC. Null with a finding:
 * text that is no date, a zero date, a day or a time that does not exist, a date whose day and month could be
 * exchanged or stand against `order`, another weekday than that of the date, and years that may be of another calendar
 * (before 1583 and after 2200, but for `0001-01-01` and `9999-12-31`).
 */
export function parseDate(value: string | null, { order, field = 'date' }: DateOptions = {}): Cleaned {
  if (value === null) return NOTHING
  const plain = plainIsoDate(value)
  if (plain !== null) return { value: plain, finding: null }
  const text = cleanText(value)
  if (text === null) return NOTHING

  const parts = text.length > LONGEST ? null : read(text, order)
  if (parts === null) {
    return refused(field, 'invalid', 'The text is not a date with a year of four digits; it was set to NULL.')
  }
  const { year, month, day, doubt } = parts
  if (year === 0 && month === 0 && day === 0) {
    return refused(field, 'zero-date', 'The date is the zero date of MySQL; it was set to NULL.')
  }
  if (!exists(year, month, day)) {
    return refused(field, 'impossible', 'The date does not exist in the calendar; it was set to NULL.')
  }
  const [code, message] = doubt === undefined ? [] : DOUBTS[doubt]
  if (code !== undefined) return refused(field, code, message)
  const date = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`
  if ((year < FIRST_YEAR || year > LAST_YEAR) && !WITHOUT_END.has(date)) {
    return refused(field, 'ambiguous', 'The year may be that of another calendar; the date was set to NULL.')
  }
  return { value: date, finding: null }
}
