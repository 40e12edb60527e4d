import { iso31662 } from 'iso-3166'
import { fold } from './fold.ts'

/** Countries whose addresses name a state, province, county or prefecture (CLDR address formats). */
const WITH_STATE_NAMES = new Set(
  'US CA AU BR IT IE MX IN AR CL CN CO CR ES GB JP KR MY NG PE PH TH TR UA UY VE VN ID HK AE EG'.split(' '),
)
/** Of these, the countries that also write the letters of the ISO 3166-2 code: `NSW`, `SP`, `RM`. */
const WITH_STATE_CODES = new Set('US CA AU BR IT MX IN'.split(' '))

interface States {
  readonly codes: ReadonlySet<string>
  readonly names: ReadonlySet<string>
}

const NONE: States = { codes: new Set(), names: new Set() }
const OTHER_CODES: Readonly<Record<string, readonly string[]>> = { CA: ['PQ', 'NF'], MX: ['DF', 'CDMX'] }

let statesByCountry: Map<string, States> | undefined

function buildStates(): Map<string, States> {
  const built = new Map<string, { codes: Set<string>; names: Set<string> }>()
  for (const { code, name } of iso31662) {
    const country = code.slice(0, 2)
    if (!WITH_STATE_NAMES.has(country)) continue
    let states = built.get(country)
    if (!states) {
      states = { codes: new Set(OTHER_CODES[country] ?? []), names: new Set() }
      built.set(country, states)
    }
    const letters = code.slice(3)
    if (WITH_STATE_CODES.has(country) && /^[A-Z]{2,3}$/.test(letters)) states.codes.add(letters)
    if (!name.includes(',')) states.names.add(fold(name))
  }
  return built
}

function statesOf(country: string): States {
  statesByCountry ??= buildStates()
  return statesByCountry.get(country) ?? NONE
}

/** Whether the text is the code of a state of the country, in capitals; dots are ignored (`N.S.W.`). */
export function isStateCode(text: string, country: string): boolean {
  return text.length <= 6 && statesOf(country).codes.has(text.replaceAll('.', ''))
}

/** Whether the text is the name of a state, province or county of the country, in any case, with or without accents. */
export function isStateName(text: string, country: string): boolean {
  if (text.length > 40) return false
  return statesOf(country).names.has(fold(text).replace(/^(?:co|county) /, ''))
}
