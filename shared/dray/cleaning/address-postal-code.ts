import { cutFirstWords, cutLastWords, type Part, replaceLast, withoutTrailingDot } from './address-parts.ts'
import { isPostalCode, resemblesPostalCode } from './postal-codes.ts'
import { isUnit, namesStreet } from './street-words.ts'

/** A postal code, and whether it stood in one part with what is now the last part: `IL 62704`. */
export interface PostalCode {
  readonly code: string
  readonly joined: boolean
  /** Whether it stood before the city: `70174 Stuttgart`. */
  readonly first: boolean
}

/** Where a number before the city is never the postal code. */
const CODE_AFTER_CITY = new Set('US CA GB AU IE NZ IN BR JP ZA'.split(' '))

const LETTERS_OF_STATE = /^\p{Lu}{1,3}$/u

/**
 * `Mannerheimintie 1000` and `Main Street 12345` end in the number of the house, `Storgatan 5 lgh 1101` in that of the
 * flat.
 */
function endsInOtherNumber(rest: string, words: string, alone: boolean): boolean {
  if (!/^\d/.test(words)) return false
  if (isUnit(cutLastWords(`${rest} ${words}`, 2)?.words ?? '')) return true
  // `CT` is Connecticut before it is a court.
  if (LETTERS_OF_STATE.test(cutLastWords(rest, 1)?.words ?? '')) return false
  return (alone && words.length < 5) || (namesStreet(rest) && !/\d/.test(rest))
}

function after(text: string, country: string | null, alone: boolean): { code: string; rest: string } | null {
  for (const count of [2, 1]) {
    const cut = cutLastWords(text, count)
    if (!cut) continue
    const { rest, words } = cut
    const unusual = LETTERS_OF_STATE.test(rest) && resemblesPostalCode(words)
    if (!isPostalCode(words, country) && !unusual) continue
    if (rest !== '' && country === null && endsInOtherNumber(rest, words, alone)) continue
    return { code: words, rest }
  }
  return null
}

function before(text: string, country: string | null): { code: string; rest: string } | null {
  if (country !== null && CODE_AFTER_CITY.has(country)) return null
  for (const count of [2, 1]) {
    const cut = cutFirstWords(text, count)
    if (!cut || !/^['’‘]?\p{L}[^\d]*( \d{1,2})?$/u.test(cut.rest)) continue
    if (isPostalCode(cut.words, country) && !namesStreet(cut.rest)) return { code: cut.words, rest: cut.rest }
  }
  return null
}

/** A separate part that has digits where the postal code is to be, if a street and a city stand before it. */
function unusualPart(parts: readonly Part[], text: string): boolean {
  return parts.length > 2 && resemblesPostalCode(text)
}

/** `Hauptstraße, 12345`: the number of a house, since nothing else is one. */
function isHouseNumber(parts: readonly Part[], country: string | null): boolean {
  const street = parts[0]?.text ?? ''
  return parts.length === 2 && country === null && namesStreet(street) && !/\d/.test(street)
}

/** A separate part between the street and the city: `Main Road 1, 70174, Stuttgart`. */
function takePartBeforeCity(parts: Part[], country: string | null): PostalCode | null {
  const part = parts.at(-2)
  if (country === null || parts.length < 3 || !part || !isPostalCode(part.text, country)) return null
  if (!parts.slice(0, -2).some(({ text }) => /\d/.test(text))) return null
  parts.splice(-2, 1)
  return { code: part.text.toUpperCase(), joined: false, first: false }
}

/**
 * Takes the postal code off the last part of an address: the whole part, its end (`IL 62704`) or its beginning (`70174
 * Stuttgart`).
 */
export function takePostalCode(parts: Part[], country: string | null): PostalCode | null {
  const last = parts.at(-1)
  if (!last || last.text.length > 200) return null
  const text = withoutTrailingDot(last.text)
  if ((isPostalCode(text, country) || unusualPart(parts, text)) && !isHouseNumber(parts, country)) {
    parts.pop()
    return { code: text.toUpperCase(), joined: false, first: false }
  }
  const alone = parts.length === 1
  const behind = after(text, country, alone)
  const found = behind ?? (alone && country === null ? null : before(text, country))
  if (!found || found.rest === '') return takePartBeforeCity(parts, country)
  replaceLast(parts, found.rest)
  return { code: found.code.toUpperCase(), joined: true, first: behind === null }
}
