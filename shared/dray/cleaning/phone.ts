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

const LABEL = /^(?:tel|telephone|phone|ph|mobile|mob|cell|fax|t|m|p)(?:[.:] ?| )(?=[+(\d])/i

const invalid = refused('phone', 'invalid', 'The phone number is not valid; it was set to NULL.')
const noCountry = refused(
  'phone',
  'no-country',
  'The phone number has no country code and the address names no country; it was set to NULL.',
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

/** `49 711 …` for a German customer: the library would take it for a number in Germany that starts with 49. */
function startsWithCallingCode(text: string, country: CountryCode): boolean {
  return text.startsWith(getCountryCallingCode(country))
}

function parseWithCountry(text: string, country: CountryCode | undefined) {
  if (text.startsWith('00')) {
    const international = parse(`+${text.slice(2)}`, undefined)
    if (international) return international
  }
  if (country && startsWithCallingCode(text, country)) {
    const international = parse(`+${text}`, undefined)
    if (international) return international
  }
  return parse(text, country)
}

/**
 * A phone number in E.164 (`+497112842222`). Numbers without a country code need `defaultCountry` (ISO alpha-2, such as
 * the country of the address). An extension is dropped with a finding; anything that is not one number becomes null
 * with a finding.
 */
export function cleanPhone(value: string | null, defaultCountry?: string | null): Cleaned {
  const cleaned = cleanText(value)
  if (cleaned === null) return NOTHING
  if (cleaned.length > LONGEST) return invalid
  // Full-width digits and plus signs become plain ones.
  const text = cleaned.normalize('NFKC').replace(LABEL, '')
  const country = defaultCountry && isSupportedCountry(defaultCountry) ? defaultCountry : undefined

  const number = parseWithCountry(text, country)
  if (number) return { value: number.number, finding: number.ext ? extensionDropped : null }
  const national =
    !text.startsWith('+') && !text.startsWith('00') && country === undefined && /\d{4}/.test(text.replaceAll(/\D/g, ''))
  return national ? noCountry : invalid
}
