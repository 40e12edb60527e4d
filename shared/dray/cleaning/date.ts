import { type Cleaned, NOTHING, refused } from './finding.ts'
import { monthNamed } from './month-names.ts'
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

const TIME =
  /^[T, ] ?(?:at )?(?!24:(?:[1-5]|0[1-9]|00:(?:[1-6]|0[1-9])))(?:[01]?\d|2[0-4]):[0-5]\d(?::(?:[0-5]\d|60)(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?)?(?: ?(?:Z|[A-Z]{2,5}|(?:GMT|UTC)?[+-]\d{2}:?(?:\d{2})?))?(?: \([\p{L}\d :+-]{1,50}\))?$/iu
const YEAR_FIRST = /^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)/
/** ISO 8601 without dashes and colons: `20240131T101112Z`. */
const COMPACT =
  /^(\d{4})(\d{2})(\d{2})T(?:[01]\d|2[0-4])[0-5]\d(?:[0-5]\d|60)?(?:[.,]\d{1,9})?(?:Z|[+-]\d{2}:?(?:\d{2})?)?$/i
/** `2022年3月11日`, `2022년 3월 11일`. */
const EAST_ASIAN = /^(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]/
const YEAR_LAST = /^(\d{1,2})(?:([/-])(\d{1,2})\2|\. ?(\d{1,2})\. ?)(\d{4})(?!\d)/
const DAY_MONTH_YEAR =
  /^(\d{1,2})(?:st|nd|rd|th|\.|er|º)?[ -]?(?:de |of )?(\p{L}{3,12})\.?,?[ -]?(?:de |of )?(\d{4})(?!\d)/iu
const MONTH_DAY_YEAR = /^(\p{L}{3,12})\.?[ -](\d{1,2})(?:st|nd|rd|th)?(?:,? |-)(\d{4})(?!\d)/iu
const WEEKDAY_FIRST = /^\p{L}{2,12}\.?,? (?=\S)/u
/** How JavaScript and C print a date: `Fri Mar 11 2022 …`, `Fri Mar 11 10:00:00 2022`. */
const C_TIME = /^(\p{L}{3}) {1,2}(\d{1,2}) \d{2}:\d{2}:\d{2}(?: [A-Z]{2,5})? (\d{4})$/u

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
  if (!exists(digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10))) return null
  if (text.length === 10) return text
  const separator = text.charCodeAt(10)
  const colons = text.charCodeAt(13) === 58 && text.charCodeAt(16) === 58
  if (!colons || (separator !== 32 && separator !== 84)) return null
  const [hour, minute, second] = [digits(text, 11, 13), digits(text, 14, 16), digits(text, 17, 19)]
  if (hour === 24 && minute + second > 0) return null
  return hour >= 0 && hour < 25 && minute >= 0 && minute < 60 && second >= 0 && second < 61 ? text.slice(0, 10) : null
}

interface Parts {
  readonly year: number
  readonly month: number
  readonly day: number
  /** True where day and month could be exchanged and no order was given. */
  readonly ambiguous?: boolean
}

/** The date of a day count since 1970, by Howard Hinnant's civil_from_days. */
function fromEpochDay(epochDay: number): Parts {
  const shifted = epochDay + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

/** Whether twelve digits are a year, month, day, hour and minute: as milliseconds they would be of 1973 to 2001. */
function isMinute(text: string): boolean {
  const year = digits(text, 0, 4)
  const clock = digits(text, 8, 10) < 24 && digits(text, 10, 12) < 60
  return year >= 1900 && year < 2100 && clock && exists(year, digits(text, 4, 6), digits(text, 6, 8))
}

/**
 * `20220311`, `202203110930`, `20220311093000`, or an epoch in seconds (9 or 10 digits) or milliseconds (12 or 13),
 * which never starts with a zero.
 */
function fromDigits(text: string): Parts | null {
  const length = text.length
  if (length === 8 || length === 14 || (length === 12 && isMinute(text))) {
    return { year: digits(text, 0, 4), month: digits(text, 4, 6), day: digits(text, 6, 8) }
  }
  if (text.startsWith('0')) return null
  if (length === 9 || length === 10) return fromEpochDay(Math.floor(digits(text, 0, length) / 86_400))
  if (length === 12 || length === 13) return fromEpochDay(Math.floor(digits(text, 0, length) / 86_400_000))
  return null
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
  if (first > 12) return dayFirst
  if (second > 12) return monthFirst
  if (order === undefined) return { ...dayFirst, ambiguous: true }
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

function fromMonthName(text: string): Parts | null {
  const dayFirst = DAY_MONTH_YEAR.exec(text)
  const monthFirst = dayFirst ? null : (C_TIME.exec(text) ?? MONTH_DAY_YEAR.exec(text))
  const match = dayFirst ?? monthFirst
  if (!match || !isEnd(text, match[0].length)) return null
  const [name, day] = dayFirst ? [match[2], match[1]] : [match[1], match[2]]
  const month = monthNamed(name ?? '')
  return month === null ? null : { year: Number(match[3]), month, day: Number(day) }
}

function read(text: string, order: DateOrder | undefined): Parts | null {
  if (digits(text, 0, text.length) >= 0) return fromDigits(text)
  return fromNumbers(text, order) ?? fromMonthName(text) ?? fromMonthName(text.replace(WEEKDAY_FIRST, ''))
}

/**
 * A calendar date as `YYYY-MM-DD`, whatever the format: ISO 8601, numbers, names of months in a dozen languages, an
 * epoch. A timestamp gives the date as it is written, not shifted by its zone; an epoch the date in UTC. Years have
 * four digits (0001 to 9999). Text that is no date, a zero date, a day that does not exist and a date whose day and
 * month could be exchanged become null with a finding.
 */
export function parseDate(value: string | null, { order, field = 'date' }: DateOptions = {}): Cleaned {
  if (value === null) return NOTHING
  const plain = plainIsoDate(value)
  if (plain !== null) return { value: plain, finding: null }
  const text = cleanText(value)
  if (text === null) return NOTHING

  const parts = text.length > LONGEST ? null : read(text, order)
  if (parts === null)
    return refused(field, 'invalid', 'The text is not a date with a year of four digits; it was set to NULL.')
  if (parts.year === 0 && parts.month === 0 && parts.day === 0) {
    return refused(field, 'zero-date', 'The date is the zero date of MySQL; it was set to NULL.')
  }
  if (!exists(parts.year, parts.month, parts.day)) {
    return refused(field, 'impossible', 'The date does not exist in the calendar; it was set to NULL.')
  }
  if (parts.ambiguous) {
    return refused(field, 'ambiguous', 'Day and month could be exchanged; the date was set to NULL. Give `order`.')
  }
  return { value: `${pad(parts.year, 4)}-${pad(parts.month, 2)}-${pad(parts.day, 2)}`, finding: null }
}
