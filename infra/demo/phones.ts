import type { DemoCountry } from './country.ts'
import type { Random } from './random.ts'

const SPOILT = [
  'n/a',
  '12345',
  '+999 123 4567',
  'call the office',
  '000-000-0000',
  '-',
  '+1 555 12',
  'see e-mail',
  '+49',
  '?????',
]

export interface DemoPhone {
  readonly raw: string | null
  /** What cleaning has to make of it: E.164. */
  readonly clean: string | null
  readonly invalid: boolean
}

/** Ways to write a number with its country code; `groups` has no trunk zero. */
const INTERNATIONAL: readonly ((country: DemoCountry, groups: string) => string)[] = [
  ({ callingCode }, groups) => `+${callingCode} ${groups}`,
  ({ callingCode }, groups) => `+${callingCode}${groups.replaceAll(' ', '')}`,
  ({ callingCode }, groups) => `00${callingCode} ${groups}`,
  ({ callingCode }, groups) => `00 ${callingCode} ${groups.replaceAll(' ', '-')}`,
  ({ callingCode }, groups) => `+${callingCode} ${groups.replaceAll(' ', '.')}`,
  ({ callingCode }, groups) => `+${callingCode}\u00a0${groups.replaceAll(' ', '\u00a0')}`,
  ({ callingCode }, groups) => `tel: +${callingCode} ${groups}`,
  ({ callingCode, trunk }, groups) => `+${callingCode} ${trunk === '' ? '' : `(${trunk})`}${groups}`,
  ({ callingCode, trunk }, groups) => `+${callingCode} ${trunk}${groups}`,
  ({ callingCode }, groups) => `+${callingCode} (${groups.replace(' ', ') ')}`,
]

/** Ways to write it as in the country itself. */
const NATIONAL: readonly ((country: DemoCountry, groups: string) => string)[] = [
  ({ trunk }, groups) => `${trunk}${groups}`,
  ({ trunk }, groups) => `${trunk}${groups.replaceAll(' ', '')}`,
  ({ trunk }, groups) => `(${trunk}${groups.replace(' ', ') ')}`,
  ({ trunk }, groups) => `${trunk}${groups.replace(' ', '/').replaceAll(' ', '')}`,
  ({ trunk }, groups) => `  ${trunk}${groups.replace(' ', '-')}`,
]

/**
 * A phone number of the country: 3 % are none, 4 % missing; where the address names the country, a third is written as
 * there.
 */
export function phoneOf(random: Random, country: DemoCountry, addressNamesCountry: boolean): DemoPhone {
  const groups = random.fill(random.pick(country.numbers))
  const clean = `+${country.callingCode}${groups.replaceAll(' ', '')}`
  const dice = random.int(1, 100)
  if (dice <= 3) return { raw: random.pick(SPOILT), clean: null, invalid: true }
  if (dice <= 7) return { raw: random.pick([null, '', ' ']), clean: null, invalid: false }
  const forms = addressNamesCountry && random.once(3) ? NATIONAL : INTERNATIONAL
  return { raw: random.pick(forms)(country, groups), clean, invalid: false }
}
