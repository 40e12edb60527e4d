import { cityAfterStreet } from './address-city.ts'
import { cutLastWords, type Part, replaceAt, withoutTrailingDot } from './address-parts.ts'
import type { PostalCode } from './address-postal-code.ts'
import { countryNamed, isCountryCode } from './country-names.ts'
import { fold } from './fold.ts'
import {
  countriesOfLargeCity,
  countryOfForeignRegion,
  isCityRegion,
  isKnownCity,
  isRegionCode,
  isRegionName,
  orderOf,
  saysDistrict,
  saysRegion,
} from './places.ts'
import { countryOfPostalCode, isPostalCode } from './postal-codes.ts'
import { isLine, makesOtherName, namesStreet } from './street-words.ts'

interface Region {
  readonly region: string | null
  /** The country that has the region, ISO alpha-2. */
  readonly country: string | null
  /** It may be the city of the district before it, or the region of the city before it. */
  readonly isAmbiguous?: true
}

const NONE: Region = { region: null, country: null }

/** Where nothing says the country, these are asked whether they have the region and the city beside it. */
const ASKED = ['US', 'CA', 'AU', 'BR', 'GB', 'IT', 'MX', 'IN', 'CH', 'ES', 'DE', 'AR']
/** Regions are written by their codes. */
const WITH_CODES = new Set(['US', 'CA', 'AU', 'BR', 'IT', 'MX', 'IN', 'CH'])
/** Regions have the names of cities in them: `New York`, `São Paulo`. */
const NAMED_AS_CITIES = new Set(['US', 'CA', 'AU', 'BR', 'MX', 'AR'])
/** `Monte Alegre de Goiás` is one name. */
const PARTICLES = new Set('de do da dos das del di of the am an in la le'.split(' '))
/** Without a country's name these are the ones whose codes of regions are written. */
const USUAL = ['US', 'CA', 'AU', 'BR']

/** The dot of `Jal.` and `Московская обл.` belongs to it. */
const CUT_SHORT = /^\p{L}{1,4}\.$| (?:обл|кр|респ|obl|prov|pref|méx)\.$/iu

function fitsPostalCode(country: string, postal: PostalCode | null): boolean {
  if (postal === null) return true
  const { code, first } = postal
  const only = countryOfPostalCode(code)
  if (only !== null) return only === country
  if (country === 'US') return !first && /^\d{4,5}(?:-\d{1,4})?$/.test(code)
  if (country === 'AU' || country === 'CH') return /^\d{4}$/.test(code) && (country === 'CH') === first
  if (country === 'CA' || country === 'GB') return false
  if (country === 'AR') return /^\d{4}$/.test(code)
  if (country === 'BR') return !first && /^\d{5}$/.test(code)
  return /^\d{5,6}$/.test(code)
}

/** `Parma PR 43121` is of Italy or of the USA. */
function isItalianToo(text: string, city: string, country: string, asked: readonly string[]): boolean {
  return country !== 'IT' && asked.includes('IT') && isRegionCode(text, 'IT') && isKnownCity(city, 'IT')
}

/** Whether the region alone says the country: `Torino TO 10122` is of Italy and not of Tocantins. */
function isUsual(text: string, city: string, country: string, { asked, postal }: Asked): boolean {
  if (!USUAL.includes(country) || (country === 'BR' && /^\d{5}$/.test(postal?.code ?? ''))) return false
  return !asked.some((other) => other !== country && isKnownCity(city, other) && isRegion(text, other))
}

function isRegion(text: string, country: string): boolean {
  const code = text.replaceAll('.', '')
  if (WITH_CODES.has(country) && /^\p{L}{2,4}$/u.test(code)) {
    if (isRegionCode(text, country)) return true
    if (country !== 'IT' && country !== 'CH' && isRegionCode(code.toUpperCase(), country)) return true
  }
  return isRegionName(text, country)
}

const asWritten = (text: string) => (/^[a-z]{2,3}$/.test(text) ? text.toUpperCase() : text)

/** Takes the region off the end of an address: the last part, or its last words (`Sydney NSW`, `Firenze FI`). */
export function takeRegion(parts: Part[], country: string | null, postal: PostalCode | null): Region {
  const at = parts.length - 1
  const part = parts[at]
  if (part === undefined || (at === 0 && /\d/.test(part.text) && postal === null)) return NONE
  const text = withoutTrailingDot(part.text)
  const asked = country === null ? ASKED.filter((one) => fitsPostalCode(one, postal)) : [country]
  const foreign = country === null ? countryOfForeignRegion(text) : null
  if (foreign !== null && (postal === null || isPostalCode(postal.code, foreign))) {
    const found = whole(parts, text, { asked: [foreign], postal, isGiven: true })
    if (found !== null) return found
  }
  return whole(parts, text, { asked, postal, isGiven: country !== null }) ?? words(parts, text, asked, postal) ?? NONE
}

interface Asked {
  readonly asked: readonly string[]
  readonly postal: PostalCode | null
  readonly isGiven: boolean
}

/** `WA 6725`: no code of the USA has four digits, and what lost its first zero is not in the west. */
function isAustralian(text: string, country: string, postal: PostalCode | null): boolean {
  return country === 'US' && /^\d{4}$/.test(postal?.code ?? '') && isRegionCode(text.toUpperCase(), 'AU')
}

function whole(parts: Part[], text: string, asked: Asked): Region | null {
  const full = parts.at(-1)?.text ?? ''
  if (parts.length < 2 && (asked.postal?.beside !== null || !asked.isGiven)) return null
  for (const country of asked.asked) {
    const verdict = judged(parts, text, country, asked)
    if (verdict === 'ambiguous') return { region: null, country: asked.isGiven ? country : null, isAmbiguous: true }
    if (verdict === 'other') continue
    parts.pop()
    return { region: asWritten(CUT_SHORT.test(full) ? full : text), country }
  }
  return null
}

/** What the last part is, as far as this country is concerned. */
function judged(parts: readonly Part[], text: string, country: string, asked: Asked): 'region' | 'ambiguous' | 'other' {
  const { postal, isGiven } = asked
  const at = parts.length - 1
  const before = parts[at - 1]?.text ?? ''
  const isLetters = /^\p{Lu}{2,3}$/u.test(text)
  const isSaid = isGiven && saysRegion(text) && !/^and /i.test(text) && !saysDistrict(text)
  const isLettersOfRegion = isGiven && isLetters && isKnownCity(before, country)
  if (!isSaid && !isLettersOfRegion && !isRegion(text, country)) return 'other'
  if (!isGiven && isAustralian(text, country, postal)) return 'other'
  const isBesideCode = postal?.beside === at
  const isBehindCode = postal?.beside === at - 1
  const writesCodes = WITH_CODES.has(country)
  const isCity = !(writesCodes && isLetters) && isKnownCity(text, country)
  const isPlaceBefore = isKnownCity(before, country) && (!/\d/.test(before) || at > 1)
  const isCityBefore = isPlaceBefore || isBehindCode || cityAfterStreet(before, country) !== null
  if (parts.length < 2) return isCity ? 'other' : 'region'
  // The postal code stands beside the city, unless the country writes it behind the region.
  if (isBesideCode && isLine(before) && /CZ|ZC/.test(orderOf(country))) return 'other'
  if (isCity) {
    // Of what may be either, the postal code stands beside the city, and a city stands before the region.
    if (NAMED_AS_CITIES.has(country) && !isLine(before) && !isCityBefore) return 'ambiguous'
    const mayBeTown = !isLine(before) && !isCityRegion(text, country) && !besideCity(country, isBesideCode)
    if (!isCityBefore && mayBeTown) return 'ambiguous'
    // `New Delhi, Delhi` is a city and its region.
    if (isCityRegion(text, country) && !fold(before).includes(nameOf(text))) return 'other'
    if ((isBesideCode && postal?.first) || !isCityBefore) return 'other'
    const mayBeDistrict = countriesOfLargeCity(text).has(country) || (isPlaceBefore && isBesideCode)
    if (!writesCodes && mayBeDistrict && !isBehindCode && nameOf(before) !== nameOf(text)) return 'ambiguous'
  }
  if (isGiven || isCityBefore || (country === 'GB' && postal !== null)) return 'region'
  return (postal !== null || isLetters) && isUsual(text, before, country, asked) ? 'region' : 'other'
}

/** Whether the postal code speaks for a city: it stands beside the text, as it does beside cities in the country. */
function besideCity(country: string, isBesideCode: boolean): boolean {
  return isBesideCode && /CZ|ZC/.test(orderOf(country))
}

/** `Osaka-shi` and `Osaka` are one name. */
const nameOf = (text: string) => fold(text).replace(/[ -](?:shi|si|city|do|to|fu|ken)$/, '')

function words(parts: Part[], text: string, asked: readonly string[], postal: PostalCode | null): Region | null {
  const at = parts.length - 1
  for (const country of asked) {
    for (const count of [3, 2, 1]) {
      const cut = cutLastWords(text, count)
      if (!cut || cut.rest === '' || !isRegion(cut.words, country)) continue
      // `Bs. As.` is no `Bs.` in American Samoa.
      if (cut.rest.endsWith('.') && cut.words.endsWith('.')) continue
      // `Jamaica W.I.` is no place of Wisconsin.
      if (asked.length > 1 && cut.words.includes('.') && countryNamed(cut.rest) !== null) continue
      const previous = fold(cutLastWords(cut.rest, 1)?.words ?? '')
      const isCode = count === 1 && /^\p{Lu}{2,3}$/u.test(cut.words)
      if (asked.length > 1 && isAustralian(cut.words, country, postal)) continue
      // `80073 Capri NA`: beside the postal code what stands before the letters is the city.
      const isBeside = asked.length === 1 && isCode && WITH_CODES.has(country) && postal?.beside === at && postal.first
      // `Modena 41121 MO`
      const place = cut.rest.replace(/ \d[\d-]*$/, '')
      const isKnown = isBeside || isKnownCity(place, country)
      if (isKnown && isCode && isItalianToo(cut.words, place, country, asked)) return { ...NONE, isAmbiguous: true }
      // `Vanadzor AM` is a town of Armenia or of Amazonas.
      const isCountry = isCode && !isKnown && postal === null && asked.length > 1 && isCountryCode(cut.words)
      if (isCountry) return { ...NONE, isAmbiguous: true }
      const isPartOfName = makesOtherName(previous) || makesOtherName(fold(cut.words)) || PARTICLES.has(previous)
      if (!isCode && (isKnownCity(text, country) || isPartOfName)) continue
      const isWritten = isCode || (postal !== null && !namesStreet(text))
      const isSure = isWritten && (postal !== null || at > 0)
      if (
        !isKnown &&
        !(isSure && place === cut.rest && isUsual(cut.words, cut.rest, country, { asked, postal, isGiven: false }))
      )
        continue
      replaceAt(parts, at, cut.rest)
      return { region: asWritten(cut.words), country }
    }
  }
  return null
}
