import postalCodeModule from 'validator/lib/isPostalCode.js'

const { default: isPostalCodeOf, locales } = postalCodeModule

type Locale = Exclude<Parameters<typeof isPostalCodeOf>[1], 'any'>

const LONGEST = 12

const withPattern = new Set<string>(locales)

/** Countries that validator does not know, or knows more strictly than their post does. */
const OTHER_PATTERNS: Readonly<Record<string, RegExp>> = {
  AR: /^(?:\d{4}|[A-Z]\d{4}[A-Z]{3})$/,
  CL: /^(?:\d{7}|\d{3}-?\d{4})$/,
  GB: /^(?:GIR ?0AA|[A-Z]{1,2}\d[A-Z\d]?(?: ?\d[A-Z]{2})?)$/,
  IE: /^(?:[AC-FHKNPRTV-Y]\d{2}|D6W) ?[\dAC-FHKNPRTV-Y]{4}$/,
  JP: /^\d{3}-?\d{4}$/,
  LT: /^(?:LT-)?\d{5}$/,
  LV: /^(?:LV-)?\d{4}$/,
  PT: /^\d{4}-\d{3}$/,
  TR: /^\d{5}$/,
  VN: /^\d{5,6}$/,
}

/** The forms that are taken for a postal code where no country is known. */
const USUAL_FORMS =
  /^(?:\d{4,6}|\d{5}-\d{3,4}|\d{4}-\d{3}|\d{3} \d{2}|\d{2}-\d{3}|\d{3}-\d{4}|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|\d{4} ?(?!N[EW]|S[EW])[A-Z]{2}|D6W [\dA-Z]{4}|[A-Z]\d{2} [\dA-Z]{4})$/

/** `H-1073`, `SE-112 30`: the sign of the country before the code. */
const COUNTRY_SIGN = /^[A-Z]{1,2}-(?=\d)/

/**
 * Whether the text is a postal code as the post of the country writes it, or of any usual form where the country is not
 * known.
 */
export function isPostalCode(text: string, country: string | null): boolean {
  if (text.length < 2 || text.length > LONGEST) return false
  const code = text.toUpperCase()
  const bare = code.replace(COUNTRY_SIGN, '')
  if (country === null) return USUAL_FORMS.test(bare)
  const pattern = OTHER_PATTERNS[country]
  if (pattern) return pattern.test(code) || pattern.test(bare)
  if (!withPattern.has(country)) return USUAL_FORMS.test(bare)
  return isPostalCodeOf(code, country as Locale) || isPostalCodeOf(bare, country as Locale)
}

/** Digits that stand where a postal code stands, though not of the country's form: `2113` for Boston, `94040-111`. */
export function resemblesPostalCode(text: string): boolean {
  return /^\d{4,6}(?:-\d{1,4})?$/.test(text)
}

/** The country that a postal code can only be of, together with a state of it where its form is not enough. */
export function countryOfPostalCode(code: string): string | null {
  if (/^[A-Z]\d[A-Z] ?\d[A-Z]\d$/.test(code)) return 'CA'
  if (/^[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}$/.test(code)) return 'GB'
  return /^\d{5}-\d{3}$/.test(code) ? 'BR' : null
}
