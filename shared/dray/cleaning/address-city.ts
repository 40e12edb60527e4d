import { cutLastWords, type Part, replaceAt } from './address-parts.ts'
import type { PostalCode } from './address-postal-code.ts'
import { countryNamed, isCountryCode } from './country-names.ts'
import { fold } from './fold.ts'
import {
  countriesOfCity,
  countriesOfLargeCity,
  countriesOfRegion,
  isCityRegion,
  isKnownCity,
  isRegionCode,
  isRegionName,
  orderOf,
  saysRegion,
} from './places.ts'
import { isLine, isUnit, isWordOfAddress, makesOtherName, namesStreet } from './street-words.ts'

export interface Found {
  readonly city: string | null
  /** There is a part that may be the city, or something else. */
  readonly isAmbiguous: boolean
  /** Nothing but a line is left. */
  readonly isLine?: boolean
}

export interface Evidence {
  readonly country: string | null
  readonly postal: PostalCode | null
  readonly hasRegion: boolean
}

const NONE: Found = { city: null, isAmbiguous: false }
export const AMBIGUOUS: Found = { city: null, isAmbiguous: true }

function isKnown(text: string, country: string | null): boolean {
  if (isWordOfAddress(text)) return false
  return country === null ? countriesOfCity(text).length > 0 : isKnownCity(text, country)
}

/** A country by its formal name, which CLDR does not have. */
const REPUBLIC = /republi[ckq]|república|kingdom|جمهوري|مملكة|республик|共和国|공화국/iu

/** `Edo. Méx.` and `okr. Senec` are cut short as regions are, `St. Louis` and `Frankfurt a. M.` as cities are. */
const CUT_SHORT = /(?:^|\s)(?!(?:st|ste|sta|sto|mt|ft|гр|пос|дер|ст|пгт|bad)\.)\p{L}{2,5}\.(?=\s|$)/iu

/** `Main St 5` and `Hauptstraße` are no cities; `Praha 2`, `Dublin 4` and `København K` are. */
function mayBeCity(text: string): boolean {
  if ((saysRegion(text) || CUT_SHORT.test(text)) && countriesOfCity(text).length === 0) return false
  if (!/\p{L}/u.test(text) || /^(?:\p{Lu}{1,3}|[a-z]{1,2})$/u.test(text) || isUnit(text)) return false
  if (text.length > 60 || REPUBLIC.test(text)) return false
  // `Kaunas LT`, but `København SV`.
  if (isCountryCode(/\p{Ll} (\p{Lu}{2})$/u.exec(text)?.[1] ?? '') && !isKnownCity(text, 'DK')) return false
  // `Konak/İzmir` is two places.
  if (/\p{L} ?\/ ?\p{L}/u.test(text)) return false
  // `Garadag AD` ends in a part of the postal code.
  if (/\p{Ll} \p{Lu}{2,3}$/u.test(text) && countriesOfCity(text).length === 0) return false
  return !/\d/.test(text) || /^[^\d]+ \d{1,2}$/.test(text)
}

/** `Victoria` and `Washington` alone are cities or regions. */
function isRegionSomewhere(text: string): boolean {
  return countriesOfRegion(text).length > 0
}

/** The longest known city at the end of a street that has no comma before it. */
export function cityAfterStreet(text: string, country: string | null): { street: string; city: string } | null {
  for (const count of [4, 3, 2, 1]) {
    const cut = cutLastWords(text, count)
    if (!cut || !/\d/.test(cut.rest) || /\d/.test(cut.words) || !isKnown(cut.words, country)) continue
    const previous = fold(cutLastWords(cut.rest, 1)?.words ?? '')
    // `12 Main St St. Louis`, but `12 Oak Rd North Bend`.
    if (makesOtherName(previous) && !(previous === 'st' && namesStreet(cut.rest))) return null
    return { street: cut.rest, city: cut.words }
  }
  return null
}

/** Takes the city out of an address whose country, postal code and region have been taken. */
export function takeCity(parts: Part[], evidence: Evidence): Found {
  const text = parts.at(-1)?.text
  if (text === undefined) return NONE
  const behind = takeBeforeOthers(parts, evidence)
  if (behind !== null) return behind
  const isBeside = evidence.postal?.beside === parts.length - 1
  const isStreet = namesStreet(text) && !isKnown(text, evidence.country)
  if (!mayBeCity(text) || (isStreet && !isBeside)) return takeFromLine(parts, text, evidence)
  // `Catania CT, Sicilia` has two regions.
  const letters = / (\p{Lu}{2})$/u.exec(text)?.[1] ?? ''
  if (evidence.hasRegion && evidence.country !== null && isRegionCode(letters, evidence.country)) return AMBIGUOUS
  switch (judged(parts, { ...evidence, isBeside, isStreet })) {
    case 'last':
      parts.pop()
      return { city: text, isAmbiguous: false }
    case 'first':
      return takeFirst(parts)
    case 'ambiguous':
      return AMBIGUOUS
    default:
      return NONE
  }
}

/** How many parts at the end are none of the city: `Greene County`, what stands in brackets behind a place. */
function countOthers(parts: readonly Part[], { country, hasRegion }: Evidence): number {
  let count = 0
  for (let at = parts.length - 1; at > 0; at--) {
    const { text, before } = parts[at] as Part
    const isInBrackets = before.includes('(') && !isLine(parts[at - 1]?.text ?? '')
    // `Inverness, Highland IV2 3DU, Scotland`: a county within what has been taken.
    const isCounty = hasRegion && country === 'GB' && isRegionName(text, country)
    if (!isInBrackets && ((!saysRegion(text) && !isCounty) || isKnown(text, country))) break
    count++
  }
  return count
}

/** The city before other parts: behind a postal code (`1015 Podlehnik, Podlehnik`), or before a county. */
function takeBeforeOthers(parts: Part[], evidence: Evidence): Found | null {
  const { country, postal } = evidence
  const beside = postal?.beside ?? null
  const last = parts.length - 1
  const isBefore = beside !== null && beside < last && !isLine(parts[beside]?.text ?? '')
  const others = isBefore ? last - beside : countOthers(parts, evidence)
  if (others === 0) return null
  const text = parts[last - others]?.text ?? ''
  if (isLine(text) && !isKnown(text, country)) return AMBIGUOUS
  const isOther = ({ text: other }: Part) => !isBefore || saysRegion(other) || !isKnown(other, country)
  if (!mayBeCity(text) || !(isBefore || isKnown(text, country)) || !parts.slice(-others).every(isOther)) {
    return AMBIGUOUS
  }
  parts.splice(last - others, 1)
  return { city: text, isAmbiguous: false }
}

/** `70101 Costa Rica` and `Burnt Pine Norfolk Island`; `Christmas Island 6798` is a town of Australia. */
function endsInCountry(text: string, mayBeWhole: boolean): boolean {
  const isEnd = [2, 1].some((count) => {
    const cut = cutLastWords(text, count)
    if (cut === null || cut.rest === '' || countryNamed(cut.words) === null) return false
    return count === 2 || !makesOtherName(fold(cutLastWords(cut.rest, 1)?.words ?? ''))
  })
  return isEnd || (!mayBeWhole && countryNamed(text) !== null)
}

/** Where nothing but the country is a city. */
const ONE_CITY = new Set(['SG', 'MC', 'GI', 'HK', 'MO'])

function isCountryWithCities(text: string): boolean {
  const code = countryNamed(text)
  return code !== null && !ONE_CITY.has(code)
}

/** A large city that is no region with other towns: `Khlong Toei, Bangkok`, but `Kaş, Antalya`. */
function isLargeAlone(text: string): boolean {
  const isAlone = (country: string) => country === 'GB' || !isRegionName(text, country) || isCityRegion(text, country)
  return [...countriesOfLargeCity(text)].some(isAlone)
}

interface Position {
  /** The postal code stands in this part. */
  readonly isBeside: boolean
  readonly isStreet: boolean
}

/** Which part is the city, where the last one may be. */
function judged(
  parts: readonly Part[],
  { country, postal, hasRegion, isBeside, isStreet }: Evidence & Position,
): 'last' | 'first' | 'ambiguous' | 'none' {
  const before = parts.slice(0, -1).map(({ text }) => text)
  const text = parts.at(-1)?.text ?? ''
  const hasDigits = /\d/.test(text)
  const isFollowed = hasRegion || postal !== null
  const isNamed = isKnown(text, country)
  if (!isNamed && endsInCountry(text, hasRegion || (isBeside && country !== null))) return 'ambiguous'
  const isRegion = !isNamed && !hasRegion && (country === null ? isRegionSomewhere(text) : isRegionName(text, country))
  // `Huehuetenango, Guatemala 13001`: the city or the country of the name.
  if (country === null && before.length > 0 && !before.every(isLine) && isCountryWithCities(text)) return 'ambiguous'
  const place = before.at(-1) ?? ''
  // `Northampton, Northants NN1 1AA`: a county that is not known, or has the name of a town, behind its city.
  const isBehindCity = isBeside && !postal?.first && !isLine(place) && isKnown(place, country)
  const mayBeCounty = () => !isNamed || (country === null && isRegionSomewhere(text) && !isLargeAlone(text))
  if (isBehindCity && mayBeCounty()) return 'ambiguous'
  if (isBeside && !(isRegion && country === null) && (!hasDigits || before.length > 0)) return 'last'
  const isAlone = before.length === 0 && country === null && !isFollowed
  if (isAlone && (!isNamed || isRegionSomewhere(text))) return 'ambiguous'
  const left = before.at(-1)
  // `Nilüfer` is a town, though it ends as streets do.
  const isBehindPlace = left !== undefined && (!isLine(left) || (!/\d/.test(left) && isKnown(left, country)))
  // `Youghal, Munster` and `Victoria, Mahé`: the city of that name or the region, where no country is known.
  const isOfTwo = isBehindPlace && (isRegionSomewhere(text) || isKnown(left, country))
  if (isNamed && country === null && isOfTwo && !isLargeAlone(text)) return 'ambiguous'
  if (isNamed) return 'last'
  if (hasDigits && country !== null && isKnownCity(parts[0]?.text ?? '', country)) return 'first'
  if (isBehindPlace && isKnown(left, country)) return 'ambiguous'
  if (hasDigits) return before.length > 0 ? 'ambiguous' : 'none'
  // Where the post writes no regions, `Altstadt, Balzers` may be a district and its town.
  if (hasRegion && country !== null && country !== 'GB' && !orderOf(country).includes('S')) return 'ambiguous'
  if (isRegion) return 'ambiguous'
  if (isFollowed || (country !== null && !isRegionName(text, country) && before.every(isLine))) return 'last'
  return before.length < 2 && before.every(isLine) && !isStreet ? 'last' : 'ambiguous'
}

/** A city or a country, behind what may be its postal code. */
function isPlace(text: string, country: string | null): boolean {
  const name = text.replace(/^(?:\p{Lu}{1,3}-)?[\d -]+/u, '')
  return isKnown(name, country) || countryNamed(name) !== null
}

/** The city stands before the street, or behind it without a comma. */
function takeFromLine(parts: Part[], text: string, { country, postal, hasRegion }: Evidence): Found {
  if (country !== null && parts.length > 1 && isKnownCity(parts[0]?.text ?? '', country)) {
    // `Toktogul 12, Bishkek, …`: a street with the name of a town.
    const isOther = (part: Part) => !/\d/.test(part.text) && isKnownCity(part.text, country)
    return parts.slice(1).some(isOther) ? AMBIGUOUS : takeFirst(parts)
  }
  const isFollowed = hasRegion || postal !== null
  const cut = isFollowed || country !== null ? cityAfterStreet(text, country) : null
  if (cut === null && isFollowed) return { ...AMBIGUOUS, isLine: true }
  // `Budapest, Széchenyi tér 1`: a place that no country and no postal code makes sure of.
  if (cut === null) return parts.some((part) => isPlace(part.text, country)) ? AMBIGUOUS : NONE
  replaceAt(parts, parts.length - 1, cut.street)
  return { city: cut.city, isAmbiguous: false }
}

/** `Budapest, Váci utca 12`. */
function takeFirst(parts: Part[]): Found {
  return { city: parts.shift()?.text ?? null, isAmbiguous: false }
}
