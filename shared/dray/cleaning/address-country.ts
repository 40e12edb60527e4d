import { cutLastWords, type Part, replaceLast, withoutTrailingDot } from './address-parts.ts'
import { countryNamed, isCountryCode } from './country-names.ts'
import { fold } from './fold.ts'
import { isPostalCode } from './postal-codes.ts'
import { isStateCode, isStateName } from './state-names.ts'
import { namesStreet } from './street-words.ts'

interface Country {
  /** As it was written. */
  readonly country: string | null
  /** ISO alpha-2. */
  readonly code: string | null
}

const NONE: Country = { country: null, code: null }

/** A country's name after one of these is the name of a place or a street: `New Mexico`, `Plaza de España`. */
const NOT_BEFORE_COUNTRY = new Set(
  'new north south east west old little fort port lake mount de of da do du del di the la el via rue calle rua avenida avenue'.split(
    ' ',
  ),
)

function endsInPostalCode(text: string | undefined, country: string): boolean {
  if (text === undefined) return false
  return [1, 2].some((count) => isPostalCode(cutLastWords(text, count)?.words ?? '', country))
}

/** Whether two letters at the end are a country rather than a state: `70174, DE` but `Dover, DE`. */
function isCodeOfCountry(text: string, before: string | undefined): boolean {
  if (before === undefined || !isCountryCode(text)) return false
  if (endsInPostalCode(before, text)) return true
  const isState = ['US', 'CA', 'AU', 'BR'].some((country) => isStateCode(text, country))
  return !isState && /\p{L}{2}/u.test(before)
}

function wholePart(parts: readonly Part[]): string | null {
  const text = parts.at(-1)?.text
  if (text === undefined) return null
  const before = parts.at(-2)?.text
  const bare = withoutTrailingDot(text)
  if (isCodeOfCountry(bare, before)) return bare
  const code = countryNamed(text)
  // Georgia is a state of the USA, too; only a Georgian postal code tells.
  if (code === 'GE' && before !== undefined && fold(text) === 'georgia')
    return endsInPostalCode(before, 'GE') ? code : null
  return code
}

/** `Stuttgart Germany`: a country without a comma before it. */
function lastWords(parts: readonly Part[]): { rest: string; words: string; code: string } | null {
  const text = parts.at(-1)?.text ?? ''
  if (!text.includes(' ') || ['US', 'CA', 'AU', 'BR'].some((country) => isStateName(text, country))) return null
  for (const count of [4, 3, 2, 1]) {
    const cut = cutLastWords(text, count)
    if (!cut || cut.rest === '') continue
    const code = countryNamed(cut.words)
    if (code === null || code === 'GE') continue
    const previous = fold(cutLastWords(cut.rest, 1)?.words ?? '')
    const evidence = parts.length > 1 || endsInPostalCode(cut.rest, code) || /^\d{4,}/.test(cut.rest)
    if (
      evidence &&
      !NOT_BEFORE_COUNTRY.has(previous) &&
      !(parts.length === 1 && namesStreet(text) && !/\d$/.test(cut.rest))
    ) {
      return { ...cut, code }
    }
  }
  return null
}

/** Takes the country off the end of an address, also where it is written twice. */
export function takeCountry(parts: Part[]): Country {
  const code = wholePart(parts)
  if (code !== null) {
    const country = withoutTrailingDot(parts.at(-1)?.text ?? '')
    parts.pop()
    while (parts.length > 1 && wholePart(parts) === code) parts.pop()
    return { country, code }
  }
  const cut = lastWords(parts)
  if (cut === null) return NONE
  replaceLast(parts, cut.rest)
  return { country: withoutTrailingDot(cut.words), code: cut.code }
}
