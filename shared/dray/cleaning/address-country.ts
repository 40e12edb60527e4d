import { cutFirstWords, cutLastWords, type Part, replaceAt, withoutTrailingDot } from './address-parts.ts'
import { countryNamed, isCountryCode } from './country-names.ts'
import { fold } from './fold.ts'
import { countriesOfCity, countriesOfLargeCity, isKnownCity, isRegionCode, isRegionName, saysRegion } from './places.ts'
import { hasPostalCodes, isPostalCode } from './postal-codes.ts'
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
  return hasPostalCodes(country) && before.slice(-2).some(({ text }) => withoutPostalCode(text, country) !== null)
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
  if (speaksFor(code, before) || hasPostalCode(code, before)) return found
  // `Trnava 917 01, SR` is not of Suriname.
  const place = (before.at(-1)?.text ?? '').replace(/^[\d -]+|[\d -]+$/g, '')
  if (isCode) return countriesOfCity(place).length > 0 ? AMBIGUOUS : found
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

/** `Zürich 8001 CH`, `Kaunas LT`: the code of a country that the words before it speak for. */
function codeBehind({ rest, words }: { rest: string; words: string }, before: readonly Part[]): string | null {
  if (!isCountryCode(words)) return null
  if (isKnownCity(rest, words) && !WITH_REGIONS.some((one) => isRegionCode(words, one))) return words
  const isCode = withoutPostalCode(rest, words) !== null && speaksFor(words, [...before, { text: rest, before: '' }])
  return isCode ? words : null
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
    const before = parts.slice(0, at)
    const isName = cut.words.length > 2 || /\p{Script=Han}/u.test(cut.words)
    const code = isName ? countryNamed(cut.words) : codeBehind(cut, before)
    if (code === null) continue
    const rest = [...before, { text: cut.rest, before: '' }]
    const previous = fold(cutLastWords(cut.rest, 1)?.words ?? '')
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
  const last = withoutTrailingDot(parts.at(-1)?.text ?? '')
  // Written as it is given, it is not another place of the name.
  if (isAmbiguous && parts.length > 1 && given !== null && codeOf(last, parts.slice(0, -1)) === given) {
    parts.pop()
    return { country: last, code: given }
  }
  // `La Suiza` of Costa Rica and `Ascensión` of Bolivia are no countries where nothing but the name speaks for them.
  const isOther = code !== null && given !== null && code !== given
  const isCode = isCountryCode(country ?? '')
  if (!isOther || (isCode && !isRegionCode(code, given)) || speaksFor(code, parts) || hasPostalCode(code, parts))
    return { country, code, isAmbiguous }
  parts.splice(0, parts.length, ...all)
  return isKnownCity(country ?? '', given) || isRegionName(country ?? '', given) || isCode ? NONE : AMBIGUOUS
}

/** `Hobart, Australia 7000`: the country beside its postal code, which stays. */
function besidePostalCode(parts: Part[]): Country {
  const at = parts.length - 1
  const text = withoutTrailingDot(parts[at]?.text ?? '')
  if (at === 0 || !/\d/.test(text)) return NONE
  for (const count of [2, 1]) {
    for (const cut of [cutLastWords(text, count), cutFirstWords(text, count)]) {
      if (cut === null || cut.rest === '' || /\d/.test(cut.rest) || !/\d/.test(cut.words)) continue
      const rest = [...parts.slice(0, at), { text: cut.words, before: '' }]
      const isCode = isCountryCode(cut.rest) && !isRegionCode(cut.rest, 'US') && speaksFor(cut.rest, rest)
      const code = isCode ? cut.rest : cut.rest.length > 2 ? countryNamed(cut.rest) : null
      if (code === null || isKnownCity(cut.rest, code) || !isPostalCode(cut.words, code)) continue
      const found = judged(cut.rest, code, rest)
      if (found.code !== null) replaceAt(parts, at, cut.words)
      return found
    }
  }
  return NONE
}

/** Whether the words are a city of the country, or a city and its region: `Cairns Queensland`. */
function isPlace(text: string, country: string): boolean {
  return [0, 1, 2, 3].some((count) => {
    const cut = cutLastWords(text, count)
    const isOfRegion = count === 0 || isRegionName(cut?.words ?? '', country) || isRegionCode(cut?.words ?? '', country)
    return cut !== null && isOfRegion && isKnownCity(cut.rest, country)
  })
}

/** `Cairns Queensland Australia 4870`: a country between its city and its postal code, without commas. */
function betweenWords(parts: Part[]): Country {
  const at = parts.length - 1
  const text = withoutTrailingDot(parts[at]?.text ?? '')
  for (const count of [2, 1]) {
    const code = cutLastWords(text, count)
    if (code === null || !/\d/.test(code.words) || /\d/.test(code.rest)) continue
    for (const length of [1, 2, 3]) {
      const cut = cutLastWords(code.rest, length)
      const country = cut === null || cut.words.length < 3 ? null : countryNamed(cut.words)
      if (cut === null || country === null || !isPostalCode(code.words, country) || !isPlace(cut.rest, country))
        continue
      replaceAt(parts, at, cut.rest)
      parts.push({ text: code.words, before: ' ' })
      return { country: cut.words, code: country }
    }
  }
  return NONE
}

/** `Jamaica, W.I.` is one name. */
function joinWestIndies(parts: Part[]): void {
  const [name, last] = parts.slice(-2)
  if (!last || !name || !/^(?:B\. ?)?W\. ?I\.?$/.test(last.text) || countryNamed(name.text) === null) return
  parts.splice(-2, 2, { ...name, text: `${name.text}, ${last.text}` })
}

function takeWritten(parts: Part[]): Country {
  joinWestIndies(parts)
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
  const beside = besidePostalCode(parts)
  if (beside.code !== null || beside.isAmbiguous) return beside
  const between = betweenWords(parts)
  if (between.code !== null) return between
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
