import { Cron } from 'croner'

/** When a workflow starts by the clock. */
interface Clock {
  readonly expression: string
  readonly timezone: string
}

/** The last start after one moment and not after another; null where there is none. Looks at no more than so many. */
export function lastStart(
  schedules: readonly Clock[],
  { after, until, most }: { readonly after: number; readonly until: number; readonly most: number },
): number | null {
  const lasts = schedules.flatMap(({ expression, timezone }) => {
    const cron = new Cron(expression, { timezone, paused: true })
    let last: number | null = null
    for (let looks = 0; looks < most; looks++) {
      const next: number | undefined = cron.nextRun(new Date(last ?? after))?.getTime()
      if (next === undefined || next > until) break
      last = next
    }
    return last ?? []
  })
  return lasts.length === 0 ? null : Math.max(...lasts)
}

/** The next starts of all schedules together, in ms since 1970, soonest first. */
export function nextStarts(schedules: readonly Clock[], after: number, most: number): number[] {
  const all = schedules.flatMap(({ expression, timezone }) =>
    new Cron(expression, { timezone, paused: true }).nextRuns(most, new Date(after)).map((date) => date.getTime()),
  )
  return [...new Set(all)].sort((one, other) => one - other).slice(0, most)
}
