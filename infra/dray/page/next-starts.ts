import { Cron } from 'croner'

/** When a workflow starts by the clock. */
interface Clock {
  readonly expression: string
  readonly timezone: string
}

/** The next starts of all schedules together, in ms since 1970, soonest first. */
export function nextStarts(schedules: readonly Clock[], after: number, most: number): number[] {
  const all = schedules.flatMap(({ expression, timezone }) =>
    new Cron(expression, { timezone, paused: true }).nextRuns(most, new Date(after)).map((date) => date.getTime()),
  )
  return [...new Set(all)].sort((one, other) => one - other).slice(0, most)
}
