import { createHash, randomInt } from 'node:crypto'

/** Of the last part, in base 36. */
const LENGTH = 7

/**
 * The name of a run, new each time: `2026-11-23t070212-0k7q3f9`. It sorts by its start, reads as a date, and is valid
 * as the name of an execution of Step Functions. The last part is the millisecond and some chance.
 */
export function newRunId(now: Date = new Date()): string {
  const millisecond = now.getUTCMilliseconds().toString(36).padStart(2, '0')
  const chance = randomInt(36 ** 5)
    .toString(36)
    .padStart(5, '0')
  return runIdAt(now, `${millisecond}${chance}`)
}

/**
 * The name of the run that this is the seed of: the same however often it is asked for, of another seed another one.
 */
export function runIdOf(seed: string, now: Date): string {
  const hash = createHash('sha256').update(seed).digest('hex')
  return runIdAt(now, Number.parseInt(hash.slice(0, 12), 16).toString(36).padStart(LENGTH, '0').slice(-LENGTH))
}

function runIdAt(now: Date, last: string): string {
  const iso = now.toISOString()
  return `${iso.slice(0, 10)}t${iso.slice(11, 19).replaceAll(':', '')}-${last}`
}
