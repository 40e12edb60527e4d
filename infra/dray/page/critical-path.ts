/** A step with its place in time. */
export interface PlacedStep {
  readonly name: string
  readonly after: readonly string[]
  /** Milliseconds since 1970; null where it was not reached. */
  readonly start: number | null
  readonly end: number | null
}

/**
 * The steps that a run took as long as it did because of: from the one that ended last back over those that it waited
 * for, of each the one that ended last.
 */
export function criticalPath(steps: readonly PlacedStep[]): readonly string[] {
  const byName = new Map(steps.map((step) => [step.name, step]))
  const path: string[] = []
  let next = lastOf(steps)
  while (next !== null && !path.includes(next.name)) {
    path.unshift(next.name)
    next = lastOf(next.after.flatMap((name) => byName.get(name) ?? []))
  }
  return path
}

function lastOf(steps: readonly PlacedStep[]): PlacedStep | null {
  const ended = steps.filter(({ start }) => start !== null)
  const endOf = ({ end }: PlacedStep) => end ?? Number.POSITIVE_INFINITY
  return ended.reduce<PlacedStep | null>(
    (last, step) => (last === null || endOf(step) > endOf(last) ? step : last),
    null,
  )
}
