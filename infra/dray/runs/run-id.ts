import { randomInt } from 'node:crypto'

/**
 * The name of a run: sorts by its start, reads as a date, and is valid as a Step Functions execution name. The last part is
 * the millisecond and some chance: `2026-11-23t070212-0k7q3f9`.
 */
export function newRunId(now: Date = new Date()): string {
  const iso = now.toISOString()
  const second = `${iso.slice(0, 10)}t${iso.slice(11, 19).replaceAll(':', '')}`
  const millisecond = now.getUTCMilliseconds().toString(36).padStart(2, '0')
  const chance = randomInt(36 ** 5)
    .toString(36)
    .padStart(5, '0')
  return `${second}-${millisecond}${chance}`
}
