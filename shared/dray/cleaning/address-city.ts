import { cutLastWords, type Part, replaceAt } from './address-parts.ts'
import type { PostalCode } from './address-postal-code.ts'
import { fold } from './fold.ts'
import { countriesOfCity, isKnownCity, isRegionName } from './places.ts'
import { isLine, isUnit, makesOtherName, namesStreet } from './street-words.ts'

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

function isKnown(text: string, country: string | null): boolean {
  return country === null ? countriesOfCity(text).length > 0 : isKnownCity(text, country)
}

/** `Main St 5` and `Hauptstraße` are no cities; `Praha 2`, `Dublin 4` and `København K` are. */
function mayBeCity(text: string): boolean {
  if (!/\p{L}/u.test(text) || /^\p{Lu}{1,3}$/u.test(text) || isUnit(text) || text.length > 60) return false
  return !/\d/.test(text) || /^[^\d]+ \d{1,2}$/.test(text)
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
    if (makesOtherName(previous) && !(previous === 'st' && namesStreet(cut.rest))) return null
    return { street: cut.rest, city: cut.words }
  }
  return null
}

/** Takes the city out of an address whose country, postal code and region have been taken. */
export function takeCity(parts: Part[], evidence: Evidence): Found {
  const text = parts.at(-1)?.text
  if (text === undefined) return NONE
  const isBeside = evidence.postal?.beside === parts.length - 1
  const isStreet = namesStreet(text) && !isKnown(text, evidence.country)
  if (!mayBeCity(text) || (isStreet && !isBeside)) return takeFromLine(parts, text, evidence)
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
  if (isBeside && (!hasDigits || before.length > 0)) return 'last'
  const isAlone = before.length === 0 && country === null && !isFollowed
  if (isAlone && (!isNamed || isRegionSomewhere(text))) return 'ambiguous'
  if (isNamed) return 'last'
  if (hasDigits && country !== null && isKnownCity(parts[0]?.text ?? '', country)) return 'first'
  const left = before.at(-1)
  if (left !== undefined && !isLine(left) && isKnown(left, country)) return 'ambiguous'
  if (hasDigits) return country !== null && before.length > 0 ? 'last' : 'none'
  if (isFollowed || (country !== null && !isRegionName(text, country) && before.every(isLine))) return 'last'
  if (country === null && isRegionSomewhere(text)) return 'ambiguous'
  return before.length < 2 && before.every(isLine) && !isStreet ? 'last' : 'ambiguous'
}

/** The city stands before the street, or behind it without a comma. */
function takeFromLine(parts: Part[], text: string, { country, postal, hasRegion }: Evidence): Found {
  if (country !== null && parts.length > 1 && isKnownCity(parts[0]?.text ?? '', country)) return takeFirst(parts)
  const isFollowed = hasRegion || postal !== null
  const cut = isFollowed || country !== null ? cityAfterStreet(text, country) : null
  if (cut === null) return isFollowed ? { ...AMBIGUOUS, isLine: true } : NONE
  replaceAt(parts, parts.length - 1, cut.street)
  return { city: cut.city, isAmbiguous: false }
}

/** `Budapest, Váci utca 12`. */
function takeFirst(parts: Part[]): Found {
  return { city: parts.shift()?.text ?? null, isAmbiguous: false }
}
