import type { DemoCountry } from './country.ts'
import type { Random } from './random.ts'

export interface DemoAddress {
  readonly raw: string | null
  /** What cleaning has to make of it. */
  readonly line: string | null
  readonly city: string | null
  readonly state: string | null
  readonly postalCode: string | null
  readonly country: string | null
}

const NOTHING = { line: null, city: null, state: null, postalCode: null, country: null }

/** What happens to an address on its way; the parts stay the same. */
const MESSES: readonly ((raw: string) => string)[] = [
  (raw) => raw.replaceAll(', ', ',  '),
  (raw) => raw.replaceAll(', ', ' , '),
  (raw) => raw.replaceAll(', ', ', , '),
  (raw) => ` ${raw},`,
  (raw) => raw.replaceAll(', ', '\n'),
  (raw) => raw.replaceAll(', ', '\r\n'),
  (raw) => raw.replaceAll(' ', '\u00a0'),
  (raw) => raw.normalize('NFD'),
  (raw) => `${raw}.`,
]

/** The layout with its letters filled in; each letter stands alone in it. */
function fillLayout(layout: string, parts: Readonly<Record<string, string>>): string {
  return layout.replaceAll(/\b[LCPST]\b/g, (letter) => parts[letter] ?? '')
}

function isMessable(raw: string): boolean {
  return /\p{L}{2}$/u.test(raw)
}

/**
 * An address of the country in one of the layouts that its people use: 2 % are missing, 4 % lack parts, 10 % are messy.
 */
export function addressOf(random: Random, country: DemoCountry): DemoAddress {
  const [city, postalTemplate, stateCode, stateName] = random.pick(country.cities)
  const number = String(random.int(1, 999))
  const line = random.fill(random.pick(country.lines).replace('0', number)).replace('#', random.pick(country.streets))
  const postalCode = postalTemplate === null ? null : random.fill(postalTemplate)
  const spelling = random.pick(country.spellings)
  const dice = random.int(1, 100)
  if (dice <= 2) return { ...NOTHING, raw: random.pick([null, '', ' , ', '   ']) }
  if (dice === 3) return { ...NOTHING, raw: `${line}, ${city}, ${spelling}`, line, city, country: spelling }
  if (dice === 4) return { ...NOTHING, raw: `${city}, ${spelling}`, city, country: spelling }
  if (dice === 5) return { ...NOTHING, raw: line, line }

  const layout = random.pick(country.layouts)
  const state = layout.includes('T') ? (stateName ?? null) : layout.includes('S') ? (stateCode ?? null) : null
  const parts = { L: line, C: city, P: postalCode ?? '', S: stateCode ?? '', T: stateName ?? '' }
  const named = country.code === 'IE' || !random.once(4)
  const filled = fillLayout(layout, parts)
  const raw = named ? `${filled}, ${spelling}${random.once(40) ? `, ${spelling}` : ''}` : filled
  const messy = dice >= 91 && isMessable(raw)
  return {
    raw: messy ? random.pick(MESSES)(raw) : raw,
    line,
    city,
    state,
    postalCode,
    country: named ? spelling : null,
  }
}
