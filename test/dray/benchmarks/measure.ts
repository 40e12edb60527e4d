/** One line of the report. */
export interface Result {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What it is held against, measured in the same run; null where the goal is a figure of its own. */
  readonly baseline: number | null
  readonly ratio: number | null
  /** Null: reported only. The ratio is held against it where there is a baseline, the value where there is none. */
  readonly goal: number | null
  /** Whether more is better. */
  readonly better: 'more' | 'less'
  readonly ok: boolean | null
  /** Smallest and greatest value of the repetitions. */
  readonly spread: readonly [number, number] | null
  readonly note?: string
}

/** The milliseconds of each repetition. */
export interface Measured {
  readonly median: number
  readonly all: readonly number[]
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/**
 * Runs each of the works once a round, in another order each time, so that what the machine does meanwhile meets all of
 * them. Each returns its milliseconds.
 */
export async function interleaved<Name extends string>(
  works: Readonly<Record<Name, () => Promise<number>>>,
  rounds: number,
): Promise<Record<Name, Measured>> {
  const names = Object.keys(works) as Name[]
  const all = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round < rounds; round++) {
    const turn = round % names.length
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      const milliseconds = await works[name]()
      all[name].push(milliseconds)
      progress(`  ${name}: ${Math.round(milliseconds)} ms`)
    }
  }
  const measured = {} as Record<Name, Measured>
  for (const name of names) measured[name] = { median: medianOf(all[name]), all: all[name] }
  return measured
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Rows in a second against those of a baseline. */
export function rateResult(
  name: string,
  rows: number,
  measured: Measured,
  baseline: Measured | null,
  goal: number | null,
  note?: string,
): Result {
  const rate = (milliseconds: number) => Math.round((rows / milliseconds) * 1000)
  const value = rate(measured.median)
  const held = baseline === null ? null : rate(baseline.median)
  const ratio = held === null ? null : rounded(value / held)
  return {
    name,
    value,
    unit: 'rows/s',
    baseline: held,
    ratio,
    goal,
    better: 'more',
    ok: goal === null ? null : (ratio ?? value) >= goal,
    spread: [rate(Math.max(...measured.all)), rate(Math.min(...measured.all))],
    ...(note === undefined ? {} : { note }),
  }
}

/** A figure that must not pass its goal. */
export function limitResult(
  name: string,
  unit: string,
  values: readonly number[],
  goal: number | null,
  note?: string,
): Result {
  const value = rounded(medianOf(values))
  return {
    name,
    value,
    unit,
    baseline: null,
    ratio: null,
    goal,
    better: 'less',
    ok: goal === null ? null : value <= goal,
    spread: [rounded(Math.min(...values)), rounded(Math.max(...values))],
    ...(note === undefined ? {} : { note }),
  }
}

export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

/** What is going on, on standard error. */
export function progress(message: string): void {
  process.stderr.write(`${message}\n`)
}
