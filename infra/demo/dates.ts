import { toMicroseconds } from './instants.ts'
import type { Random } from './random.ts'

const MONTHS = 'January February March April May June July August September October November December'.split(' ')

const SPOILT = ['0000-00-00 00:00:00', '2021-02-30', 'unknown', '31.11.2022', '3/4/22', '']

/** Forms of one instant, given as `YYYY-MM-DD HH:MM:SS`. */
const FORMS: readonly ((instant: string) => string)[] = [
  (instant) => instant.slice(0, 10),
  (instant) => `${instant.replace(' ', 'T')}Z`,
  (instant) => `${instant.replace(' ', 'T')}.000+02:00`,
  (instant) => `${Number(instant.slice(8, 10))}.${Number(instant.slice(5, 7))}.${instant.slice(0, 4)}`,
  (instant) => `${instant.slice(8, 10)}.${instant.slice(5, 7)}.${instant.slice(0, 4)} ${instant.slice(11, 16)}`,
  (instant) => `${monthOf(instant)} ${Number(instant.slice(8, 10))}, ${instant.slice(0, 4)}`,
  (instant) => `${Number(instant.slice(8, 10))} ${monthOf(instant).slice(0, 3)} ${instant.slice(0, 4)}`,
  (instant) => instant.slice(0, 10).replaceAll('-', ''),
  (instant) => String(toMicroseconds(instant) / 1_000_000),
  (instant) => String(toMicroseconds(instant) / 1000),
  // Day and month cannot be taken for each other only after the 12th.
  (instant) =>
    Number(instant.slice(8, 10)) > 12
      ? `${instant.slice(5, 7)}/${instant.slice(8, 10)}/${instant.slice(0, 4)}`
      : instant,
]

function monthOf(instant: string): string {
  return MONTHS[Number(instant.slice(5, 7)) - 1] ?? ''
}

export interface DemoDate {
  readonly raw: string | null
  /** What cleaning has to make of it: `YYYY-MM-DD`. */
  readonly clean: string | null
}

/**
 * The instant `YYYY-MM-DD HH:MM:SS` as the database writes it, in a quarter of the rows in another form; 3 of 1,000 are
 * no date at all.
 */
export function writtenDate(random: Random, instant: string): DemoDate {
  const dice = random.int(1, 1000)
  if (dice <= 3) return { raw: random.pick(SPOILT), clean: null }
  return { raw: dice <= 250 ? random.pick(FORMS)(instant) : instant, clean: instant.slice(0, 10) }
}
