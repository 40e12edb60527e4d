import { postalPatternOf } from './places.ts'

const LONGEST = 12

/** As people write them though the post does not: without a space or a hyphen, or with one. */
const OTHER_PATTERNS: Readonly<Record<string, RegExp>> = {
  AR: /^(?:\d{4}|[A-Z]\d{4}(?:[A-Z]{3})?)$/,
  CL: /^(?:\d{7}|\d{3}-?\d{4})$/,
  GB: /^(?:GIR ?0AA|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})$/,
  IE: /^(?:[AC-FHKNPRTV-Y]\d{2}|D6W) ?[\dAC-FHKNPRTV-Y]{4}$/,
  PT: /^\d{4}(?:-\d{3})?$/,
  AE: /^(?!)/,
  AZ: /^(?:AZ ?)?\d{4}$/,
  IR: /^\d{5}-?\d{5}$/,
  TZ: /^\d{5}$/,
  BH: /^\d{3,4}$/,
  MZ: /^\d{4}$/,
  KH: /^\d{5,6}$/,
  VN: /^\d{5,6}$/,
}

/** The forms that are taken for a postal code where no country is known. */
const USUAL_FORMS =
  /^(?:\d{4,6}|\d{5}-\d{3,4}|\d{4}-\d{3}|\d{3} \d{2}|\d{2}-\d{3}|\d{3}-\d{4}|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|\d{4} ?(?!N[EW]|S[EW])[A-Z]{2}|D6W [\dA-Z]{4}|[A-Z]\d{2} [\dA-Z]{4}|[A-HJ-NP-Z]\d{4}[A-Z]{3})$/

/** The sign of a country before its postal code, where it is not its ISO code. */
const SIGNS: Readonly<Record<string, string>> = {
  A: 'AT',
  B: 'BE',
  D: 'DE',
  E: 'ES',
  F: 'FR',
  FL: 'LI',
  H: 'HU',
  I: 'IT',
  L: 'LU',
  N: 'NO',
  S: 'SE',
}

/** `H-1073`, `SE-112 30`, `AD500`: the sign of the country before the code; null where there is none. */
export function countryOfSign(text: string): string | null {
  const [, sign, code] = /^([A-Z]{1,2})-?(\d.*)$/.exec(text.toUpperCase()) ?? []
  if (sign === undefined || code === undefined) return null
  const country = SIGNS[sign] ?? sign
  const pattern = postalPatternOf(country)
  const hasHyphen = text.charAt(sign.length) === '-'
  if (pattern === null) return null
  // `BE1518` is a code of Brunei as well.
  const isSigned = hasHyphen || (sign.length === 2 && sign === country && sign !== 'BE' && /^\d+$/.test(code))
  return pattern.test(text.toUpperCase()) || (isSigned && pattern.test(code)) ? country : null
}

/**
 * Whether the text is a postal code as the post of the country writes it, or of any usual form where the country is not
 * known.
 */
export function isPostalCode(text: string, country: string | null): boolean {
  if (text.length < 2 || text.length > LONGEST) return false
  const code = text.toUpperCase()
  if (!/\d/.test(code) && !(country === 'BM' && /^[A-Z]{2} [A-Z]{2}$/.test(text))) return false
  if (country === null) return USUAL_FORMS.test(code) || countryOfSign(code) !== null
  // `B7600 Mar del Plata`
  if (country === 'AR' && code.includes(' ')) return false
  const pattern = OTHER_PATTERNS[country] ?? postalPatternOf(country)
  const isSigned = /^[A-Z]{1,2}-?\d/.test(code) && countryOfSign(code) === country
  const bare = isSigned ? code.replace(/^[A-Z]{1,2}-?/, '') : code
  if (pattern === null) return USUAL_FORMS.test(bare) || /^\d{3}$/.test(bare)
  const isOfForm =
    pattern.test(code) ||
    (isSigned && pattern.test(bare)) ||
    (code.includes(' ') && pattern.test(code.replace(' ', ''))) ||
    (/^\d{5}$/.test(bare) && pattern.test(`${bare.slice(0, 3)} ${bare.slice(3)}`))
  return isOfForm && (country === 'SV' || !/^(?:BOX|BP|CP|NO)\b(?!-)/.test(code))
}

/** Whether the code is as the country writes its own, with its spaces: `602 00` is Czech, `60200` may be German. */
export function isWrittenCode(code: string, country: string): boolean {
  const isSigned = countryOfSign(code) === country
  return isSigned || ((OTHER_PATTERNS[country] ?? postalPatternOf(country))?.test(code) ?? false)
}

/** Whether the post of the country has postal codes, as far as is known. */
export function hasPostalCodes(country: string): boolean {
  return (OTHER_PATTERNS[country] ?? postalPatternOf(country)) !== null
}

/** Digits that stand where a postal code stands, though not of the country's form: `2113` for Boston, `94040-111`. */
export function resemblesPostalCode(text: string): boolean {
  return /^\d{4,6}(?:-\d{1,4})?$/.test(text)
}

/** Countries whose codes have the form of the British ones. */
const LIKE_BRITISH: Readonly<Record<string, string>> = { GX: 'GI', GY: 'GG', IM: 'IM', JE: 'JE' }

/** The country that a postal code can only be of. */
export function countryOfPostalCode(code: string): string | null {
  if (/^[A-Z]\d[A-Z] ?\d[A-Z]\d$/.test(code)) return 'CA'
  if (/^[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}$/.test(code)) return LIKE_BRITISH[code.slice(0, 2)] ?? 'GB'
  if (/^\d{4} ?[A-Z]{2}$/.test(code)) return 'NL'
  if (/^\d{4}-\d{3}$/.test(code)) return 'PT'
  if (/^(?:[A-Z]\d{2}|D6W) [\dA-Z]{4}$/.test(code)) return 'IE'
  if (/^[A-HJ-NP-Z]\d{4}[A-Z]{3}$/.test(code)) return 'AR'
  if (/^\d{5}-\d{3}$/.test(code)) return 'BR'
  return countryOfSign(code)
}
