import { cutLastWords, type Part, replaceLast, withoutTrailingDot } from './address-parts.ts'
import type { PostalCode } from './address-postal-code.ts'
import { fold } from './fold.ts'
import { isStateCode, isStateName } from './state-names.ts'
import { cityAfterStreet, isUnit, namesStreet } from './street-words.ts'

interface State {
  readonly state: string | null
  /** The country that has the state, ISO alpha-2; null where it is not known. */
  readonly country: string | null
}

const NONE: State = { state: null, country: null }

/** Before the name of a state they make the name of a city: `Fort Washington`, `New Delhi`. */
const BEFORE_CITY_NAME = new Set(
  'new old fort port mount lake north south east west san santa saint st ciudad la el'.split(' '),
)

/** Where nothing says the country, the form of the postal code leaves these. */
function countriesOf(country: string | null, postal: PostalCode | null): readonly string[] {
  if (country !== null) return [country]
  if (postal === null) return ['US', 'CA', 'AU', 'BR']
  if (postal.first) return ['IT', 'MX']
  if (/^\d{5}(-\d{4})?$/.test(postal.code)) return ['US']
  if (/^\d{5}-\d{3}$/.test(postal.code)) return ['BR']
  if (/^\d{4}$/.test(postal.code)) return ['AU']
  return /^[A-Z]\d[A-Z]/.test(postal.code) ? ['CA'] : []
}

/** Whether a city can end here, with the line before it: neither a street nor a number. */
function canBeCity(parts: readonly Part[]): boolean {
  const text = parts.at(-1)?.text
  if (text === undefined) return false
  if (cityAfterStreet(text)) return true
  if (!/^\D*\p{L}\D*$/u.test(text) || isUnit(text) || namesStreet(text)) return false
  return parts.length === 1 || parts.slice(0, -1).some((part) => /\p{L}/u.test(part.text))
}

function isCode(text: string, country: string, anyCase: boolean): boolean {
  return isStateCode(anyCase ? text.toUpperCase() : text, country)
}

/** A whole part: `NC` or `North Carolina` after a city, `VV` before a postal code. */
function wholePart(parts: Part[], countries: readonly string[], postal: PostalCode | null): State {
  const text = parts.at(-1)?.text ?? ''
  for (const country of countries) {
    if (isCode(text, country, postal !== null || parts.length > 1)) {
      parts.pop()
      return { state: text.toUpperCase(), country }
    }
    const few = parts.length === 2 && !['US', 'CA', 'AU'].includes(country)
    if (!few && isStateName(text, country) && canBeCity(parts.slice(0, -1))) {
      parts.pop()
      return { state: text, country }
    }
  }
  if (postal?.joined && parts.length > 1 && /^\p{Lu}{2,3}$/u.test(text)) {
    parts.pop()
    return { state: text, country: null }
  }
  return NONE
}

/** The end of the part: `Springfield IL`, `Charlotte North Carolina`, `Roma (RM)`. */
function lastWords(parts: Part[], countries: readonly string[], postal: PostalCode | null): State {
  const text = parts.at(-1)?.text ?? ''
  for (const country of countries) {
    if (isStateName(text, country)) continue
    for (const count of [4, 3, 2, 1]) {
      const cut = cutLastWords(text, count)
      if (!cut || cut.rest === '') continue
      const words = cut.words.replace(/^\((.*)\)$/, '$1')
      const code = count === 1 && isCode(words, country, postal !== null && country === 'US')
      const previous = fold(cutLastWords(cut.rest, 1)?.words ?? '')
      const name = postal !== null && isStateName(words, country) && !BEFORE_CITY_NAME.has(previous)
      if (!code && !name) continue
      replaceLast(parts, cut.rest)
      return { state: code ? words.toUpperCase() : words, country }
    }
  }
  return NONE
}

/** Takes the state, province or county off the end of an address whose country and postal code were taken. */
export function takeState(parts: Part[], country: string | null, postal: PostalCode | null): State {
  const last = parts.at(-1)
  if (!last || last.text.length > 200) return NONE
  const text = withoutTrailingDot(last.text)
  const candidates = countriesOf(country, postal)
  const trimmed = [...parts.slice(0, -1), { ...last, text }]
  const found = wholePart(trimmed, candidates, postal)
  const state = found.state === null ? lastWords(trimmed, candidates, postal) : found
  if (state.state !== null) parts.splice(0, parts.length, ...trimmed)
  return state
}
