import { cutFirstWords, cutLastWords, type Part, replaceAt, withoutTrailingDot } from './address-parts.ts'
import { countryNamed, isCountryCode } from './country-names.ts'
import { fold } from './fold.ts'
import { countriesOfCity, countriesOfLargeCity, isKnownCity, isRegionCode, isRegionName, saysRegion } from './places.ts'
import { isPostalCode } from './postal-codes.ts'
import { namesStreet } from './street-words.ts'

export interface Country {
  /** As it was written. */
  readonly country: string | null
  /** ISO alpha-2. */
  readonly code: string | null
  /** What is written may be a country or something else. */
  readonly isAmbiguous?: true | undefined
}

const NONE: Country = { country: null, code: null }
const AMBIGUOUS: Country = { country: null, code: null, isAmbiguous: true }

/** Countries whose addresses name a region by a code or a name that may be that of another country. */
const WITH_REGIONS = ['US', 'CA', 'AU', 'BR', 'IT', 'MX', 'IN', 'CH', 'AR']

/** A country's name after one of these is the name of a place or a street: `New Mexico`, `Plaza de España`. */
const NOT_BEFORE_COUNTRY = new Set(
  'new north south east west old little fort port lake mount de of da do du del di the la el via rue calle rua avenida avenue and'.split(
    ' ',
  ),
)

/** The words of a part without a postal code of the country before or behind them; null where there is none. */
function withoutPostalCode(text: string, country: string): string | null {
  for (const count of [2, 1]) {
    const last = cutLastWords(text, count)
    if (last && isPostalCode(last.words, country)) return last.rest
    const first = cutFirstWords(text, count)
    if (first && isPostalCode(first.words, country)) return first.rest
  }
  return isPostalCode(text, country) ? '' : null
}

/** Whether what stands before says that the country is this one: a postal code of its form beside a city of it. */
function speaksFor(country: string, before: readonly Part[]): boolean {
  return before.slice(-2).some(({ text }) => {
    const rest = withoutPostalCode(text, country)
    return isKnownCity(rest ?? text, country)
  })
}

/** Whether a postal code stands before that this country has, and no country of those that write regions. */
function hasPostalCode(country: string, before: readonly Part[]): boolean {
  return before.slice(-2).some(({ text }) => withoutPostalCode(text, country) !== null)
}

function regionsElsewhere(text: string, code: string): string[] {
  const isCode = /^[A-Z]{2}$/.test(text)
  // `Micronesia` is a region of the USA by ISO 3166-2, and the country all the same.
  const isSame = (country: string) => country === code || (!isCode && isRegionCode(code, country))
  return WITH_REGIONS.filter(
    (country) => !isSame(country) && (isCode ? isRegionCode(text, country) : isRegionName(text, country)),
  )
}

/** Whether the text at the end is the country `code`, by what stands before it. */
function judged(text: string, code: string, before: readonly Part[]): Country {
  const found = { country: text, code }
  const elsewhere = regionsElsewhere(text, code)
  const isCode = /^[A-Z]{2}$/.test(text)
  if (before.length === 0) return isCode ? NONE : found
  if (elsewhere.length > 0) {
    const forRegion = elsewhere.filter((country) => speaksFor(country, before))
    const forCountry = speaksFor(code, before)
    if (forCountry && forRegion.length === 0) return found
    if (forRegion.length > 0 && !forCountry) return NONE
    if (hasPostalCode(code, before)) return found
    if (forRegion.includes('US') && forCountry && hasPostalCode('US', before)) return NONE
    return AMBIGUOUS
  }
  if (isCode || speaksFor(code, before) || hasPostalCode(code, before)) return found
  // The name of a city elsewhere, too: `Granada` is Grenada in Spanish.
  if (countriesOfCity(text).some((country) => country !== code)) return AMBIGUOUS
  const last = before.at(-1)?.text ?? ''
  const large = countriesOfLargeCity(last)
  return large.size > 0 && !large.has(code) ? AMBIGUOUS : found
}

function codeOf(text: string, before: readonly Part[]): string | null {
  if (/^[A-Z]{2}$/.test(text) && isCountryCode(text)) return before.length > 0 ? text : null
  const small = text.toUpperCase()
  if (/^[a-z]{2}$/.test(text) && isCountryCode(small)) {
    return speaksFor(small, before) || hasPostalCode(small, before) ? small : null
  }
  return countryNamed(text)
}

/** `Stuttgart Germany`: a country without a comma before it. */
function lastWords(parts: Part[]): Country {
  const at = parts.length - 1
  const text = withoutTrailingDot(parts[at]?.text ?? '')
  if (!text.includes(' ') || saysRegion(text) || WITH_REGIONS.some((country) => isRegionName(text, country)))
    return NONE
  for (const count of [5, 4, 3, 2, 1]) {
    const cut = cutLastWords(text, count)
    if (!cut || !/\p{L}/u.test(cut.rest)) continue
    const code = cut.words.length > 2 ? countryNamed(cut.words) : null
    if (code === null) continue
    const previous = fold(cutLastWords(cut.rest, 1)?.words ?? '')
    const rest = [...parts.slice(0, at), { text: cut.rest, before: '' }]
    const speaks = speaksFor(code, rest) || withoutPostalCode(cut.rest, code) !== null
    const isOther = namesStreet(text) || countriesOfCity(text).length > 0 || parts.length === 1
    if (NOT_BEFORE_COUNTRY.has(previous) || (!speaks && isOther)) continue
    if (!speaks) return AMBIGUOUS
    const country = judged(cut.words, code, rest)
    if (country.code === null) return country
    replaceAt(parts, at, cut.rest)
    return country
  }
  return NONE
}

function takeWhole(parts: Part[], at: number, before: readonly Part[]): Country {
  const text = withoutTrailingDot(parts[at]?.text ?? '')
  const code = codeOf(text, before)
  if (code === null) return NONE
  const found = judged(text, code, before)
  if (found.code !== null) parts.splice(at, 1)
  return found
}

/** Takes the country out of an address: it stands at the end, before a postal code, or first of all. */
export function takeCountry(parts: Part[], given: string | null): Country {
  const all = [...parts]
  const { country, code, isAmbiguous } = takeWritten(parts)
  // `La Suiza` of Costa Rica and `Ascensión` of Bolivia are no countries where nothing but the name speaks for them.
  const isOther = code !== null && given !== null && code !== given
  const isCode = isCountryCode(country ?? '')
  if (!isOther || (isCode && !isRegionCode(code, given)) || speaksFor(code, parts) || hasPostalCode(code, parts))
    return { country, code, isAmbiguous }
  parts.splice(0, parts.length, ...all)
  return isKnownCity(country ?? '', given) || isRegionName(country ?? '', given) || isCode ? NONE : AMBIGUOUS
}

function takeWritten(parts: Part[]): Country {
  const at = parts.length - 1
  const last = takeWhole(parts, at, parts.slice(0, at))
  if (last.code !== null) {
    // Written twice, it is the country twice, or its capital.
    while (parts.length > 1 && fold(withoutTrailingDot(parts.at(-1)?.text ?? '')) === fold(last.country ?? '')) {
      if (parts.length > 1 && isKnownCity(parts.at(-1)?.text ?? '', last.code) && parts.length < 3) break
      parts.pop()
    }
    return last
  }
  if (last.isAmbiguous) return last
  if (at > 0 && isPostalCode(parts[at]?.text ?? '', null)) {
    const country = takeWhole(parts, at - 1, parts.slice(0, at - 1))
    if (country.code !== null && isPostalCode(parts.at(-1)?.text ?? '', country.code)) return country
    if (country.code !== null) parts.splice(at - 1, 0, { text: country.country ?? '', before: ', ' })
  }
  const words = lastWords(parts)
  if (words.code !== null || words.isAmbiguous) return words
  const start = isPostalCode(parts[0]?.text ?? '', null) ? 1 : 0
  const name = parts[start]?.text ?? ''
  const first = parts.length > 2 && !/\d/.test(name) ? countryNamed(name) : null
  if (
    first === null ||
    !parts.slice(1).some(({ text }) => isKnownCity(withoutPostalCode(text, first) ?? text, first))
  ) {
    return NONE
  }
  const [{ text }] = parts.splice(start, 1) as [Part]
  return { country: text, code: first }
}
