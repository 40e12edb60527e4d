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

/** Whether the country's people write the number like this: without the zero that others would dial before it. */
function isWrittenAsAtHome(number: PhoneNumber, text: string): boolean {
  const digitsOf = (written: string) => written.replaceAll(/\D/g, '')
  return digitsOf(number.formatNational()) === digitsOf(text)
}

function parseInternational(text: string): PhoneNumber | undefined {
  const withoutZero = text.replace(ZERO_IN_BRACKETS, '$1 ')
  // In Italy the zero belongs to the number of a land line, so it may be needed.
  return (withoutZero === text ? undefined : parse(withoutZero, undefined)) ?? parse(text, undefined)
}

function parseWithCountry(text: string, country: CountryCode | undefined): PhoneNumber | 'ambiguous' | undefined {
  if (text.startsWith('+')) return parseInternational(text)
  if (text.startsWith('00')) {
    const international = parseInternational(`+${text.slice(2)}`)
    if (international) return international
  }
  const national = parse(text, country)
  if (country === undefined || !startsWithCallingCode(text, country)) return national
  const international = parse(`+${text}`, undefined)
  if (international === undefined) return national
  const twoWays = national && national.number !== international.number && isWrittenAsAtHome(national, text)
  return twoWays ? 'ambiguous' : international
}

/**
 * A phone number in E.164 (`+497112842222`). Numbers without a country code need `defaultCountry` (ISO alpha-2, such as
 * the country of the address). An extension is dropped with a finding; anything that is not one number, and digits that
 * are a number of that country both with and without its code in front, become null with a finding.
 */
export function cleanPhone(value: string | null, defaultCountry?: string | null): Cleaned {
  const cleaned = cleanText(value)
  if (cleaned === null) return NOTHING
  if (cleaned.length > LONGEST) return invalid
  // Full-width digits and plus signs become plain ones.
  const text = cleaned.normalize('NFKC').replace(LABEL, '').replace(CODE_IN_BRACKETS, '$1$2 ')
  const country = defaultCountry && isSupportedCountry(defaultCountry) ? defaultCountry : undefined

  const number = parseWithCountry(text, country)
  if (number === 'ambiguous') return ambiguous
  if (number) return { value: number.number, finding: number.ext ? extensionDropped : null }
  const national =
    !text.startsWith('+') && !text.startsWith('00') && country === undefined && /\d{4}/.test(text.replaceAll(/\D/g, ''))
  return national ? noCountry : invalid
}
