import { cutFirstWords, cutLastWords, type Part, replaceAt, withoutTrailingDot } from './address-parts.ts'
import { isCountryCode } from './country-names.ts'
import { countriesOfCity, isKnownCity, isRegionName, orderOf } from './places.ts'
import { countryOfPostalCode, hasPostalCodes, isPostalCode, resemblesPostalCode } from './postal-codes.ts'
import { isUnit, isWordOfAddress, namesStreet } from './street-words.ts'

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
/** `QRM 1234`; `NSW 2000` is of Australia. */
const MALTESE = /^(?!NSW|VIC|QLD|TAS|ACT)[A-Z]{3} \d{4}$/
const ARTICLE = / (?:el|la|al|le|de|as|os|il|lo|st)$/i
const LABEL =
  /^(?:〒\s*|(?:CEP|C\.?P\.?|P\.?C\.?|PIN(?: ?code)?|ZIP(?: ?code)?|PLZ|postal code|post ?code)(?:\s*:\s*|\s+(?=\d)|(?=\d)))/iu

/** What stands between a city and its postal code: a dash, a label. */
const LABEL_BEFORE = /(?: [-–]| (?:CEP|C\.?P\.?|P\.?C\.?|PIN(?: ?code)?|ZIP(?: ?code)?|PLZ)\.?:?)$/iu

/** `Mannerheimintie 1000` and `Main Street 12345` end in the number of the house, `… lgh 1101` in that of the flat. */
function endsInOtherNumber(rest: string, words: string, isLine: boolean): boolean {
  if (!/^\d/.test(words)) return false
  if (isUnit(cutLastWords(`${rest} ${words}`, 2)?.words ?? '')) return true
  // `CT` is Connecticut before it is a court.
  if (LETTERS_OF_STATE.test(cutLastWords(rest, 1)?.words ?? '')) return false
  return (isLine && words.length < 5) || (namesStreet(rest) && !/\d/.test(rest))
}

/** `Villa 3009, Saida` and `Rue 415, Bamako`: few digits where the country writes its postal codes elsewhere. */
function isNumberOfPart(rest: string, words: string, country: string | null, next: string | null): boolean {
  if (!/^\d+$/.test(words)) return false
  if (country === null) return words.length < 5 && (next !== null || /\d{4}$/.test(rest))
  if (!hasPostalCodes(country)) return words.length < 5 || next !== null
  if (words.length > 4 || next === null) return false
  return orderOf(country).includes('ZC') || !isRegionName(next, country)
}

/** What stands around the text: whether it is the first part, and the part behind it. */
interface Around {
  readonly isLine: boolean
  readonly next: string | null
}

/** `4350 AU` and `8001 CH`: the code of the Netherlands, or that of another country before the country's own. */
function endsInCountry(words: string, place: string): boolean {
  const letters = /^\d{4} ([A-Z]{2})$/.exec(words)?.[1] ?? ''
  return (
    isCountryCode(letters) &&
    hasPostalCodes(letters) &&
    isPostalCode(words.slice(0, 4), letters) &&
    !isKnownCity(place, 'NL')
  )
}

function behind(text: string, country: string | null, { isLine, next }: Around): { code: string; rest: string } | null {
  for (const count of [2, 1]) {
    const cut = cutLastWords(text, count)
    if (!cut || cut.rest === '') continue
    const { rest, words } = cut
    const unusual = LETTERS_OF_STATE.test(cutLastWords(rest, 1)?.words ?? '') && resemblesPostalCode(words)
    const ofMalta = country === null && MALTESE.test(cutLastWords(text, 2)?.words ?? '')
    if (ofMalta && count === 2 && isKnownCity(rest, 'MT')) return { code: words, rest }
    if (ofMalta || (!isPostalCode(words, country) && !unusual) || (country === null && endsInCountry(words, rest)))
      continue
    const isNamed = country === null ? countriesOfCity(rest).length > 0 : isKnownCity(rest, country)
    const isKnown = isNamed && !isWordOfAddress(rest)
    if (!isKnown && (endsInOtherNumber(rest, words, isLine) || isNumberOfPart(rest, words, country, next))) continue
    return { code: words, rest: rest.replace(LABEL_BEFORE, '') }
  }
  return null
}

/** `1101 La Libertad` and `1002 EL BORMA` begin with no code of the Netherlands. */
function beginsName(text: string, { rest, words }: { rest: string; words: string }): boolean {
  if (/^[\d -]+$/.test(words)) return false
  if (/\p{Ll}/u.test(words) && /\p{Lu}/u.test(text)) return true
  if (countriesOfCity(cutFirstWords(text, 1)?.rest ?? '').length > 0) return true
  return ARTICLE.test(words) && !isKnownCity(rest, 'NL')
}

function ahead(text: string, country: string | null, isOnly: boolean): { code: string; rest: string } | null {
  if (country !== null && CODE_AFTER_CITY.has(country)) return null
  for (const count of [2, 1]) {
    const cut = cutFirstWords(text, count)
    // `1101 La Libertad` is no code of the Netherlands.
    if (
      !cut ||
      (count === 2 && country === null && beginsName(text, cut)) ||
      !/^['’‘(]?\p{L}[^\d]*( \d{1,2})?$/u.test(cut.rest) ||
      namesStreet(cut.rest.replace(/ [A-Z]{2}$/, ''))
    )
      continue
    // `2492 Broadway` in a country that has no postal codes.
    const isSure = country !== null && (hasPostalCodes(country) || isKnownCity(cut.rest, country))
    const isNumberOfHouse = !isSure && (isOnly || country !== null) && countryOfPostalCode(cut.words) === null
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

/** `Dhaka-1230` and `Mumbai-400001`, as people of the subcontinent write it. */
function withoutDash(text: string, country: string | null): string {
  const [, city = '', code = ''] = /^(\p{L}[\p{L} ]{0,40})-(\d{4,6})$/u.exec(text) ?? []
  const isSign = /(?:^| )\p{Lu}{1,2}$/u.test(city)
  return country !== null && !isSign && isKnownCity(city, country) && isPostalCode(code, country)
    ? `${city} ${code}`
    : text
}

function takeAt(parts: Part[], at: number, country: string | null): PostalCode | null {
  const part = parts[at]
  if (part === undefined || part.text.length > 200) return null
  const text = withoutDash(withoutTrailingDot(part.text).replace(LABEL, ''), country)
  const isUnusual = parts.length > 2 && at === parts.length - 1 && resemblesPostalCode(text)
  const isOther = isHouseNumber(parts, country) || isNumberOfLine(parts, at)
  if (country === null && endsInCountry(text, parts[at - 1]?.text ?? '')) return null
  if ((isPostalCode(text, country) || isUnusual) && !isOther) {
    parts.splice(at, 1)
    return { code: text.toUpperCase(), beside: null, first: false }
  }
  const isLine = at === 0
  const last = behind(text, country, { isLine, next: parts[at + 1]?.text ?? null })
  const found = last ?? ahead(text, country, parts.length === 1)
  if (found === null) return null
  replaceAt(parts, at, found.rest)
  return { code: found.code.toUpperCase(), beside: at, first: last === null }
}

/** `B1636FDA Olivos, Buenos Aires` and `70174 Stuttgart, Baden-Württemberg`: a code before its city, first of all. */
function beginsWithCode(text: string, country: string | null): boolean {
  return [2, 1].some((count) => {
    const cut = cutFirstWords(text, count)
    if (!cut || namesStreet(cut.rest)) return false
    const only = countryOfPostalCode(cut.words)
    if (country === null || only !== null) return only !== null && (country === null || only === country)
    return isPostalCode(cut.words, country) && isKnownCity(cut.rest, country)
  })
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
    const isSigned = at === 0 && (/^\p{Lu}{1,2}-\d{4,5} \p{L}/u.test(text) || beginsWithCode(text, country))
    if (!isNear && !isSure && !isSigned) continue
    const found = takeAt(parts, at, country)
    if (found !== null) return found
  }
  return null
}
