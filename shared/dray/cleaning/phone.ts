// The metadata "max" costs 74 kB more than "min" and judges a number as Google's library does, by the ranges that are
// in use; "min" only compares the length and the first digits, and passes numbers that nobody can have.
import {
  type CountryCode,
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max'
import { type Cleaned, NOTHING, refused } from './finding.ts'
import { cleanText } from './text.ts'

/** Longer text is no phone number; the library itself gives up at 250. */
const LONGEST = 100

const LABEL = /^(?:tel|telephone|telefon|phone|ph|mobile|mobil|mob|cell|fax|t|m|p)(?:[.:]{1,2} ?| )(?=[+(\d])/i

/** `(+49) 711 …` and `(0049) 711 …`. */
const CODE_IN_BRACKETS = /^\((\+|00)([1-9]\d{0,2})\) ?/

/** `+49 (0) 711 …`: the zero is dialled in the country alone. */
const ZERO_IN_BRACKETS = /^((?:\+|00)[1-9]\d{0,2}) ?\(0\) ?/

/** `358401234567.0` of a spreadsheet, `1234.56`, `€ 12,50`, `-5`; `01.42.68.53.00` has more points. */
const AMOUNT = /^(?:[^.,a-z]*[.,](?:\d{1,2}|0+)|-\d+)$/i

const DAY = String.raw`(?:0?[1-9]|[12]\d|3[01])`
const TWO = String.raw`(?:0[1-9]|[12]\d|3[01])`
const MONTH = '(?:0[1-9]|1[0-2])'
const YEAR = String.raw`(?:19|20)\d{2}`
/** `2022-03-11`, `11.3.2022`, `11.03.22`. */
const DATE = new RegExp(
  String.raw`^(?:${YEAR}([-./ ])${DAY}\1${DAY}|${DAY}([-./ ])${DAY}\2${YEAR}|${DAY}([-./])${DAY}\3\d{2})$`,
)
/** `20220311`, `11032022`, `03112022`: numbers of eight digits are written in groups where they may be dates. */
const DATE_OF_DIGITS = new RegExp(`^(?:${YEAR}${MONTH}${TWO}|(?:${TWO}${MONTH}|${MONTH}${TWO})${YEAR})$`)
/** The date of birth and four digits of a person in the north, seven digits and one of a company. */
const IDENTITY = new RegExp(String.raw`^(?:(?:${TWO}${MONTH}\d\d|\d\d${MONTH}${TWO})[-+]\d{4}|\d{7}-\d)$`)

/** `0711 2842222/23`: the end of a second number that begins as the first one. */
const NEXT_LINE = /^(.*\d) ?\/\D{0,3}\d{1,4}$/
/** Another number behind a comma, too long for an extension; two commas are a pause in dialling. */
const ANOTHER = /[^,;][,;]\s?\d[\d ().-]{4,}\d$/

/** Digits that may be a whole number of another country, as long as they are; Chinese ones begin with 1. */
const LONG = /^[2-9]\d{10,}$/

const invalid = refused('phone', 'invalid', 'The phone number is not valid; it was set to NULL.')
const noCountry = refused(
  'phone',
  'no-country',
  'The phone number has no country code and the address names no country; it was set to NULL.',
)
const ambiguous = refused(
  'phone',
  'ambiguous',
  'The phone number can be read with and without the country code that it starts with; it was set to NULL.',
)
const incomplete = refused(
  'phone',
  'incomplete',
  'The phone number has neither a country code nor what numbers of the country begin with; it was set to NULL.',
)
const other = refused(
  'phone',
  'other',
  'The digits have the form of a date, an amount or the number of a person or a company; they were set to NULL.',
)
const severalNumbers = refused('phone', 'several', 'There are several phone numbers; they were set to NULL.')
const extensionDropped = {
  field: 'phone',
  code: 'extension-dropped',
  message: 'The phone number had an extension, which E.164 cannot hold; the number was kept without it.',
}

function parse(text: string, country: CountryCode | undefined) {
  const options = country === undefined ? { extract: false } : { extract: false, defaultCountry: country }
  const number = parsePhoneNumberFromString(text, options)
  return number?.isValid() ? number : undefined
}

type PhoneNumber = NonNullable<ReturnType<typeof parse>>

/** `49 711 …` for a German customer: the library would take it for a number in Germany that starts with 49. */
function startsWithCallingCode(text: string, country: CountryCode): boolean {
  return text.startsWith(getCountryCallingCode(country))
}

/** Full-width and Arabic digits, and full-width plus signs, as plain ones. */
function withPlainDigits(text: string): string {
  return text.normalize('NFKC').replaceAll(/[٠-٩۰-۹]/g, (digit) => String(digit.charCodeAt(0) % 16))
}

const digitsOf = (written: string) => written.replaceAll(/\D/g, '')

/** Whether the country's people write the number like this: without the zero that others would dial before it. */
function isWrittenAsAtHome(number: PhoneNumber, text: string): boolean {
  const digits = digitsOf(text)
  return [true, false].some((nationalPrefix) => digitsOf(number.format('NATIONAL', { nationalPrefix })) === digits)
}

/**
 * Whether the number is whole: as the country's people write it, or with more digits before it (`0` or `8`, `011` to
 * dial abroad). `1712345678` has lost its zero, `2842222` the code of its town, and `33612345678` is French.
 */
function isWhole(number: PhoneNumber, text: string): boolean {
  const digits = digitsOf(text)
  const own = `${number.nationalNumber}${number.ext ?? ''}`
  return isWrittenAsAtHome(number, text) || (digits.length > own.length && digits.endsWith(own))
}

function parseInternational(text: string): PhoneNumber | undefined {
  const withoutZero = text.replace(ZERO_IN_BRACKETS, '$1 ')
  // In Italy the zero belongs to the number of a land line, so it may be needed.
  return (withoutZero === text ? undefined : parse(withoutZero, undefined)) ?? parse(text, undefined)
}

function parseWithCountry(
  text: string,
  country: CountryCode | undefined,
): PhoneNumber | 'ambiguous' | 'incomplete' | undefined {
  if (text.startsWith('+')) return parseInternational(text)
  if (text.startsWith('00')) {
    const international = parseInternational(`+${text.slice(2)}`)
    if (international) return international
  }
  const national = parse(text, country)
  if (country === undefined) return national
  if (startsWithCallingCode(text, country)) {
    const international = parse(`+${text}`, undefined)
    const isAtHome = national && national.number !== international?.number && isWrittenAsAtHome(national, text)
    if (international) return isAtHome ? 'ambiguous' : international
  }
  if (national === undefined) return undefined
  if (!isWhole(national, text)) return 'incomplete'
  return LONG.test(text) && parse(`+${text}`, undefined) ? 'ambiguous' : national
}

/**
 * A phone number in E.164 (`+497112842222`). Numbers without a country code need `defaultCountry` (ISO alpha-2, such as
 * the country of the address), and are written as in that country, with the zero before them where it has one. An
 * extension is dropped with a finding. Null with a finding: what is not one number, a number without the code of its
 * town or the zero, digits that are a number both with and without a country's code in front, and what has the form of
 * a date, an amount or the number of a person.
 */
export function cleanPhone(value: string | null, defaultCountry?: string | null): Cleaned {
  const cleaned = cleanText(value)
  if (cleaned === null) return NOTHING
  if (cleaned.length > LONGEST) return invalid
  const text = withPlainDigits(cleaned).replace(LABEL, '').replace(CODE_IN_BRACKETS, '$1$2 ')
  if ([AMOUNT, DATE, DATE_OF_DIGITS, IDENTITY].some((form) => form.test(text))) return other
  const country = defaultCountry && isSupportedCountry(defaultCountry) ? defaultCountry : undefined

  const first = NEXT_LINE.exec(text)?.[1]
  if (first !== undefined && typeof parseWithCountry(first, country) === 'object') return severalNumbers
  const number = parseWithCountry(text, country)
  if (number === 'ambiguous') return ambiguous
  if (number === 'incomplete') return incomplete
  if (number?.ext && ANOTHER.test(text)) return severalNumbers
  if (number) return { value: number.number, finding: number.ext ? extensionDropped : null }
  const national =
    !text.startsWith('+') && !text.startsWith('00') && country === undefined && /\d{4}/.test(digitsOf(text))
  return national ? noCountry : invalid
}
