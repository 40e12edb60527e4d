import { cutLastWords, type Part, replaceAt } from './address-parts.ts'
import type { PostalCode } from './address-postal-code.ts'
import { fold } from './fold.ts'
import { countriesOfCity, isKnownCity, isRegionName } from './places.ts'
import { isUnit, namesStreet } from './street-words.ts'

export interface Found {
  readonly city: string | null
  /** There is a part that may be the city, or something else. */
  readonly isAmbiguous: boolean
  /** Nothing but a line is left. */
  readonly isLine?: true
}

export interface Evidence {
  readonly country: string | null
  readonly postal: PostalCode | null
  readonly hasRegion: boolean
}

const NONE: Found = { city: null, isAmbiguous: false }
export const AMBIGUOUS: Found = { city: null, isAmbiguous: true }

/** Before the name of a city they make the name of another one: `North Bend`, `Fort Washington`. */
const BEFORE_CITY_NAME = new Set(
  'new old fort port mount mt lake north south east west upper lower great little san santa saint st ciudad la el los las'.split(
    ' ',
  ),
)

function isKnown(text: string, country: string | null): boolean {
  return country === null ? countriesOfCity(text).length > 0 : isKnownCity(text, country)
}

/** `Main St 5` and `Hauptstraße` are no cities; `Praha 2`, `Dublin 4` and `København K` are. */
function mayBeCity(text: string): boolean {
  if (!/\p{L}/u.test(text) || /^\p{Lu}{1,3}$/u.test(text) || isUnit(text) || text.length > 60) return false
  return !/\d/.test(text) || /^[^\d]+ \d{1,2}$/.test(text)
}

/** Whether a part is a part of the line: it has a number, or names a street or a flat. */
export function isLine(text: string): boolean {
  return /\d/.test(text) || namesStreet(text) || isUnit(text)
}

/** `Victoria` and `Washington` alone are cities or regions. */
function isRegionSomewhere(text: string): boolean {
  return ['US', 'CA', 'AU', 'BR', 'MX', 'IN'].some((country) => isRegionName(text, country))
}

/** The longest known city at the end of a street that has no comma before it. */
export function cityAfterStreet(text: string, country: string | null): { street: string; city: string } | null {
  for (const count of [4, 3, 2, 1]) {
    const cut = cutLastWords(text, count)
    if (!cut || !/\d/.test(cut.rest) || /\d/.test(cut.words) || !isKnown(cut.words, country)) continue
    const previous = fold(cutLastWords(cut.rest, 1)?.words ?? '')
    // `12 Main St St. Louis`, but `12 Oak Rd North Bend`.
    if (BEFORE_CITY_NAME.has(previous) && !namesStreet(cut.rest)) return null
    if (BEFORE_CITY_NAME.has(previous) && previous !== 'st') return null
    return { street: cut.rest, city: cut.words }
  }
  return null
}

/** Takes the city out of an address whose country, postal code and region have been taken. */
export function takeCity(parts: Part[], { country, postal, hasRegion }: Evidence): Found {
  const at = parts.length - 1
  const last = parts[at]
  if (last === undefined) return NONE
  const { text } = last
  const before = parts.slice(0, at)
  const isBeside = postal !== null && postal.beside === at
  const isStreet = namesStreet(text) && !isKnown(text, country)
  if (mayBeCity(text) && !(isStreet && !isBeside)) {
    const left = before.at(-1)?.text
    const isLeftCity = left !== undefined && !isLine(left) && isKnown(left, country)
    const takes = (city: Found): Found => {
      parts.pop()
      return city
    }
    if (isBeside && (!/\d/.test(text) || before.length > 0)) return takes({ city: text, isAmbiguous: false })
    const isAlone = before.length === 0 && country === null && postal === null && !hasRegion
    if (isAlone && (!isKnown(text, country) || isRegionSomewhere(text))) return AMBIGUOUS
    if (isKnown(text, country)) return takes({ city: text, isAmbiguous: false })
    const isCityFirst = /\d/.test(text) && country !== null && isKnownCity(parts[0]?.text ?? '', country)
    if (isLeftCity && !isCityFirst) return AMBIGUOUS
    if (isCityFirst) return cityFirst(parts)
    if (/\d/.test(text))
      return country === null ? NONE : before.length > 0 ? takes({ city: text, isAmbiguous: false }) : NONE
    const isOnlyPlace = before.length === 0 || (before.length === 1 && isLine(before[0]?.text ?? ''))
    const isEvident = hasRegion || (country !== null && !isRegionName(text, country)) || postal !== null
    if (isEvident && (before.length === 0 || before.every((part) => isLine(part.text)) || hasRegion || postal !== null))
      return takes({ city: text, isAmbiguous: false })
    if (country === null && isRegionSomewhere(text)) return AMBIGUOUS
    if (isOnlyPlace && !isStreet) return takes({ city: text, isAmbiguous: false })
    return AMBIGUOUS
  }
  const first = parts[0]?.text ?? ''
  if (country !== null && parts.length > 1 && isKnownCity(first, country)) {
    return cityFirst(parts)
  }
  const cut = hasRegion || postal !== null || country !== null || at === 0 ? cityAfterStreet(text, country) : null
  if (cut !== null && (hasRegion || postal !== null || country !== null)) {
    replaceAt(parts, at, cut.street)
    return { city: cut.city, isAmbiguous: false }
  }
  return hasRegion || postal !== null ? { ...AMBIGUOUS, isLine: true } : NONE
}

/** `Budapest, Váci utca 12`. */
function cityFirst(parts: Part[]): Found {
  const city = parts.shift()?.text ?? null
  return { city, isAmbiguous: false }
}
