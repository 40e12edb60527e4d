import { cutFirstWords, cutLastWords, type Part, replaceAt, withoutTrailingDot } from './address-parts.ts'
import { isKnownCity } from './places.ts'
import { countryOfPostalCode, countryOfSign, isPostalCode, resemblesPostalCode } from './postal-codes.ts'
import { isUnit, namesStreet } from './street-words.ts'

/** A postal code that was taken out of the parts. */
export interface PostalCode {
  readonly code: string
  /** The place of the part that it stood in, as the parts are now; null where it was a part by itself. */
  readonly beside: number | null
  /** Whether it stood before the words of that part: `70174 Stuttgart`. */
  readonly first: boolean
}

/** Where a number before the city is never the postal code. */
const CODE_AFTER_CITY = new Set('US CA GB AU IE NZ IN JP ZA'.split(' '))

const LETTERS_OF_STATE = /^\p{Lu}{1,3}$/u
const LABEL = /^(?:〒|CEP:?|C\.?P\.?:?|PIN:?|ZIP:?|PLZ:?)\s*/iu

/** `Mannerheimintie 1000` and `Main Street 12345` end in the number of the house, `… lgh 1101` in that of the flat. */
function endsInOtherNumber(rest: string, words: string, isLine: boolean): boolean {
  if (!/^\d/.test(words)) return false
  if (isUnit(cutLastWords(`${rest} ${words}`, 2)?.words ?? '')) return true
  // `CT` is Connecticut before it is a court.
  if (LETTERS_OF_STATE.test(cutLastWords(rest, 1)?.words ?? '')) return false
  return (isLine && words.length < 5) || (namesStreet(rest) && !/\d/.test(rest))
}

function behind(text: string, country: string | null, isLine: boolean): { code: string; rest: string } | null {
  for (const count of [2, 1]) {
    const cut = cutLastWords(text, count)
    if (!cut || cut.rest === '') continue
    const { rest, words } = cut
    const unusual = LETTERS_OF_STATE.test(cutLastWords(rest, 1)?.words ?? '') && resemblesPostalCode(words)
    if (!isPostalCode(words, country) && !unusual) continue
    const isKnown = country !== null && isKnownCity(rest, country)
    if (!isKnown && endsInOtherNumber(rest, words, isLine)) continue
    return { code: words, rest: rest.replace(/ [-–]$/, '') }
  }
  return null
}

function ahead(text: string, country: string | null, isOnly: boolean): { code: string; rest: string } | null {
  if (country !== null && CODE_AFTER_CITY.has(country)) return null
  for (const count of [2, 1]) {
    const cut = cutFirstWords(text, count)
    if (!cut || !/^['’‘(]?\p{L}[^\d]*( \d{1,2})?$/u.test(cut.rest) || namesStreet(cut.rest)) continue
    const isNumberOfHouse = isOnly && country === null && countryOfSign(cut.words) === null
    if (isPostalCode(cut.words, country) && !isNumberOfHouse) return { code: cut.words, rest: cut.rest }
  }
  return null
}

/** `Hauptstraße, 12345`: the number of a house, since nothing else is one. */
function isHouseNumber(parts: readonly Part[], country: string | null): boolean {
  const street = parts[0]?.text ?? ''
  return parts.length === 2 && country === null && namesStreet(street) && !/\d/.test(street)
}

/** `Rua da Paz, 4350, Porto`: digits behind a street that has no number yet, with the city behind them. */
function isNumberOfLine(parts: readonly Part[], at: number): boolean {
  const text = parts[at]?.text ?? ''
  return (
    at > 0 &&
    at < parts.length - 1 &&
    /^\d{1,5}$/.test(text) &&
    !parts.slice(0, at).some((part) => /\d/.test(part.text))
  )
}

function takeAt(parts: Part[], at: number, country: string | null): PostalCode | null {
  const part = parts[at]
  if (part === undefined || part.text.length > 200) return null
  const text = withoutTrailingDot(part.text).replace(LABEL, '')
  const isUnusual = parts.length > 2 && at === parts.length - 1 && resemblesPostalCode(text)
  const isOther = isHouseNumber(parts, country) || isNumberOfLine(parts, at)
  if ((isPostalCode(text, country) || isUnusual) && !isOther) {
    parts.splice(at, 1)
    return { code: text.toUpperCase(), beside: null, first: false }
  }
  const isLine = at === 0
  const last = behind(text, country, isLine)
  const found = last ?? ahead(text, country, parts.length === 1)
  if (found === null) return null
  replaceAt(parts, at, found.rest)
  return { code: found.code.toUpperCase(), beside: at, first: last === null }
}

/**
 * Takes the postal code out of the last parts of an address: a whole part, its end (`IL 62704`) or its beginning
 * (`70174 Stuttgart`).
 */
export function takePostalCode(parts: Part[], country: string | null): PostalCode | null {
  const from = parts.length - 1
  for (let at = from; at >= 0; at--) {
    // Further to the left a number belongs to the line, unless its form says what it is.
    const isNear = at >= from - 2 && (at > 0 || parts.length === 1)
    const text = withoutTrailingDot(parts[at]?.text ?? '').replace(LABEL, '')
    const isSure =
      country !== null && isPostalCode(text, country) && (text.length > 4 || countryOfPostalCode(text) === country)
    if (!isNear && !isSure) continue
    const found = takeAt(parts, at, country)
    if (found !== null) return found
  }
  return null
}
