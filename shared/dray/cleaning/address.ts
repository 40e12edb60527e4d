import { AMBIGUOUS, takeCity } from './address-city.ts'
import { takeCountry } from './address-country.ts'
import { cutLastWords, joinParts, type Part, splitIntoParts } from './address-parts.ts'
import { takePostalCode } from './address-postal-code.ts'
import { takeRegion } from './address-region.ts'
import { unspacedAddress } from './address-unspaced.ts'
import { countryNamed, isCountryCode } from './country-names.ts'
import type { Finding } from './finding.ts'
import { countriesOfCity, isKnownCity, orderOf } from './places.ts'
import { countryOfPostalCode, isPostalCode, isWrittenCode } from './postal-codes.ts'
import { cleanText } from './text.ts'

/**
 * The parts of an address as they were written; postal codes and codes of states in capitals; null for what is missing.
 */
export interface Address {
  readonly line: string | null
  readonly city: string | null
  readonly state: string | null
  readonly postalCode: string | null
  readonly country: string | null
  /** ISO alpha-2: of the country that is written, or that state and postal code leave no doubt about. */
  readonly countryCode: string | null
  readonly findings: readonly Finding[]
}

const EMPTY: Address = {
  line: null,
  city: null,
  state: null,
  postalCode: null,
  country: null,
  countryCode: null,
  findings: [],
}

/** Where the country is the city. */
const CITY_STATES = new Set(['SG', 'LU', 'MC', 'HK', 'MO', 'GI', 'SM', 'VA'])
/** Where nothing but the country is a city. */
const ONE_CITY = new Set(['SG', 'MC', 'GI'])

const unusualPostalCode: Finding = {
  field: 'postalCode',
  code: 'unusual',
  message: 'The postal code does not have the form of its country; it was kept as it is.',
}
const ambiguousCity: Finding = {
  field: 'city',
  code: 'ambiguous',
  message: 'What may be the city may be something else; it was set to NULL, and its words stay in the line.',
}
const otherCountry: Finding = {
  field: 'country',
  code: 'contradiction',
  message: 'The address is written as one of another country than the one that is given; its code was set to NULL.',
}
const ambiguousCountry: Finding = {
  field: 'country',
  code: 'ambiguous',
  message: 'What may be the country may be a part of another one; country and city were set to NULL.',
}

/** The code of the country that the city is. */
function cityState(city: string | null): string | null {
  const code = city === null ? null : countryNamed(city)
  return code !== null && CITY_STATES.has(code) ? code : null
}

/**
 * Splits an address in free text, from right to left, at commas, line ends, dashes and brackets: country, postal code,
 * region, city, then the line. Each part is known by evidence: CLDR's names of countries, each country's pattern of
 * postal codes, ISO 3166-2's regions and GeoNames' cities, and by where the parts stand to each other. What may be one
 * thing or another is null, with a finding, and stays in the line. `country` (ISO alpha-2) is that of addresses that
 * name none: where one is written as of another country, what is written counts (`CH-1204 Genève`), or the code of the
 * country is null, with a finding (`602 00 Brno` of Germany). No library on npm fits: `parse-address` and `addresser`
 * know the USA only, libpostal needs 2 GB of models.
 *
 * `123 Main St, Apt 4B, New York, NY 10001, USA` → line `123 Main St, Apt 4B`, city `New York`, state `NY`, …
 */
export function parseAddress(value: string | null, country?: string | null): Address {
  const text = cleanText(value?.replaceAll(/[\r\n\u2028\u2029]+/g, ', ') ?? null)
  const unspaced = text === null ? null : unspacedAddress(text)
  if (unspaced !== null) return { ...EMPTY, ...unspaced }
  if (text === null) return EMPTY
  return country && isCountryCode(country) ? readWithGiven(text, country) : parsed(text, null)
}

/** An address of the country that is given, unless it names, or is written as one of, another. */
function readWithGiven(text: string, given: string): Address {
  const address = parsed(text, given)
  const { city, state, country, findings } = address
  const isBacked = state !== null || (city !== null && isKnownCity(city, given))
  if (country !== null || isBacked || findings.some(({ field }) => field === 'country')) return address
  const free = parsed(text, null)
  if (free.country !== null) return address
  const { postalCode, countryCode } = free
  if (countryCode !== null && countryCode !== given) {
    // `CH-1204 Genève`, `3011 AD Rotterdam`
    const isPlain = postalCode !== null && countryOfPostalCode(postalCode) === countryCode
    return isPlain && !isPostalCode(postalCode, given) ? free : contradicted(free)
  }
  if (!isElsewhere(text, free.city === null ? address : free, given)) return address
  return contradicted(city !== null && isWrittenCode(address.postalCode ?? '', given) ? address : free)
}

function contradicted(address: Address): Address {
  return { ...address, countryCode: null, findings: [...address.findings, otherCountry] }
}

/** Whether a city that the country does not have is one of another, by the form of the postal code if there is one. */
function isElsewhere(text: string, { city, postalCode }: Address, given: string): boolean {
  if (city === null || isKnownCity(city, given)) return false
  const others = countriesOfCity(city)
  if (postalCode === null) return others.length > 0
  // `105 63 Athen`: of a country that writes a space.
  if (!isWrittenCode(postalCode, given)) return others.length > 0 || postalCode.includes(' ')
  const order = text.toUpperCase().lastIndexOf(postalCode) < text.lastIndexOf(city) ? 'ZC' : 'CZ'
  return others.some((other) => isWrittenCode(postalCode, other) && orderOf(other).includes(order))
}

/** `15230 Frankfurt (Oder)`: what stands in brackets belongs to the name of the city. */
function joinNames(parts: Part[]): Part[] {
  for (const [at, { text, before }] of parts.entries()) {
    const place = parts[at - 1]
    if (place === undefined || !before.includes('(')) continue
    const name = `${cutLastWords(place.text, 1)?.words} (${text})`
    if (countriesOfCity(name).length > 0) parts.splice(at - 1, 2, { ...place, text: `${place.text} (${text})` })
  }
  return parts
}

function parsed(text: string, given: string | null): Address {
  const parts = joinNames(splitIntoParts(text))
  if (parts.length === 0) return EMPTY
  const written = takeCountry(parts, given)
  if (written.isAmbiguous) return { ...EMPTY, line: joinParts(parts), findings: [ambiguousCountry] }
  const code = written.code ?? given
  const before = takePostalCode(parts, code)
  const byCode = code ?? (before === null ? null : countryOfPostalCode(before.code))
  const { region, country: ofRegion, isAmbiguous = false } = takeRegion(parts, byCode, before)
  const known = byCode ?? ofRegion
  const postal = before ?? (region === null ? null : takePostalCode(parts, known))
  const isDistrict = known !== null && ONE_CITY.has(known) && !isKnownCity(parts.at(-1)?.text ?? '', known)
  const evidence = { country: known, postal, hasRegion: region !== null }
  const found = isAmbiguous || isDistrict ? { ...AMBIGUOUS, isLine: isDistrict } : takeCity(parts, evidence)
  const isCityState = code !== null && CITY_STATES.has(code) && (!found.isAmbiguous || found.isLine)
  const named = written.country !== null && !isCountryCode(written.country.toUpperCase()) ? written.country : null
  const city = found.city ?? (isCityState ? named : null)
  const postalCode = postal?.code ?? null
  const countryCode = known ?? (postalCode && countryOfPostalCode(postalCode)) ?? cityState(city)
  const findings = [
    ...(postalCode === null || isPostalCode(postalCode, countryCode) ? [] : [unusualPostalCode]),
    ...(found.isAmbiguous && city === null ? [ambiguousCity] : []),
  ]
  return { line: joinParts(parts), city, state: region, postalCode, country: written.country, countryCode, findings }
}
