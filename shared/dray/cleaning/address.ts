import { takeCountry } from './address-country.ts'
import { joinParts, type Part, replaceLast, splitIntoParts } from './address-parts.ts'
import { takePostalCode } from './address-postal-code.ts'
import { takeState } from './address-state.ts'
import { countryNamed } from './country-names.ts'
import type { Finding } from './finding.ts'
import { countryOfPostalCode, isPostalCode } from './postal-codes.ts'
import { cityAfterStreet, isUnit, namesStreet } from './street-words.ts'
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

const unusualPostalCode: Finding = {
  field: 'postalCode',
  code: 'unusual',
  message: 'The postal code does not have the form of its country; it was kept as it is.',
}

/** The code of the country that the city is. */
function cityState(city: string | null): string | null {
  const code = city === null ? null : countryNamed(city)
  return code !== null && CITY_STATES.has(code) ? code : null
}

/** `Main St 5` and `Hauptstraße` are no cities; `Praha 2` and `Dublin 4` are, where the street stands before them. */
function isCity(text: string, partsBefore: number): boolean {
  if (!/\p{L}/u.test(text) || isUnit(text)) return false
  if (!/\d/.test(text)) return partsBefore > 0 || !namesStreet(text)
  return partsBefore > 0 && /^[^\d]+ \d{1,2}$/.test(text) && !namesStreet(text)
}

function takeCityAfterStreet(parts: Part[], last: Part): string | null {
  const cut = cityAfterStreet(last.text)
  if (cut === null) return null
  replaceLast(parts, cut.street)
  return cut.city
}

function takeCity(parts: Part[], hasPlace: boolean): string | null {
  const last = parts.at(-1)
  if (!last) return null
  const before = parts.slice(0, -1).filter(({ text }) => /\p{L}/u.test(text)).length
  if (!isCity(last.text, before)) return hasPlace ? takeCityAfterStreet(parts, last) : null
  parts.pop()
  return last.text
}

function findingsOf(postalCode: string | null, countryCode: string | null): readonly Finding[] {
  return postalCode === null || isPostalCode(postalCode, countryCode) ? [] : [unusualPostalCode]
}

/**
 * Splits an address in free text from right to left (country, postal code, state, city, then the line), at commas and
 * line ends. No library on npm fits: `parse-address` and `addresser` know the USA only, libpostal needs 2 GB of models;
 * countries, states and postal codes are known by i18n-iso-countries, iso-3166 and validator.
 *
 * `123 Main St, Apt 4B, New York, NY 10001, USA` → line `123 Main St, Apt 4B`, city `New York`, state `NY`, …
 */
export function parseAddress(value: string | null): Address {
  const text = cleanText(value?.replaceAll(/[\r\n\u2028\u2029]+/g, ', ') ?? null)
  const parts = text === null ? [] : splitIntoParts(text)
  if (parts.length === 0) return EMPTY

  const { country, code } = takeCountry(parts)
  const before = takePostalCode(parts, code)
  const { state, country: stateCountry } = takeState(parts, code, before)
  const postal = before ?? (state === null ? null : takePostalCode(parts, code ?? stateCountry))
  const postalCode = postal?.code ?? null
  const hasPlace = state !== null || postalCode !== null || code !== null
  const city = takeCity(parts, hasPlace) ?? (code !== null && CITY_STATES.has(code) ? country : null)
  const countryCode = code ?? stateCountry ?? (postalCode && countryOfPostalCode(postalCode)) ?? cityState(city)

  const findings = findingsOf(postalCode, countryCode)
  return { line: joinParts(parts), city, state, postalCode, country, countryCode, findings }
}
