import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Fate } from './faults.ts'
import type { Scenario } from './scenario.ts'

/** One schedule: a seed, what is other than drawn from it, and a fault at one numbered request. */
export interface Schedule {
  readonly seed: number
  /** Of a replica with its tables. */
  readonly isOfFamily?: boolean
  readonly over?: Partial<Scenario>
  readonly at?: { readonly request: number; readonly fate: Fate }
}

/** What schedules did, together. */
export interface Tally {
  readonly schedules: number
  readonly runs: number
  /** Requests of handlers to databases, state and staging. */
  readonly requests: number
  readonly faults: number
  readonly succeeded: number
  readonly failed: number
  readonly aborted: number
  readonly divergences: readonly { readonly schedule: Schedule; readonly message: string }[]
}

export const nothing: Tally = {
  schedules: 0,
  runs: 0,
  requests: 0,
  faults: 0,
  succeeded: 0,
  failed: 0,
  aborted: 0,
  divergences: [],
}

export function added(one: Tally, other: Tally): Tally {
  return {
    schedules: one.schedules + other.schedules,
    runs: one.runs + other.runs,
    requests: one.requests + other.requests,
    faults: one.faults + other.faults,
    succeeded: one.succeeded + other.succeeded,
    failed: one.failed + other.failed,
    aborted: one.aborted + other.aborted,
    divergences: [...one.divergences, ...other.divergences],
  }
}

/** Runs schedules in as many threads as asked for; the order does not matter, since each has its own world. */
export async function runSchedules(schedules: readonly Schedule[], threads: number): Promise<Tally> {
  const shares = Array.from({ length: threads }, (_, thread) => schedules.filter((_one, at) => at % threads === thread))
  const tallies = await Promise.all(
    shares.map(async (share) => {
      const worker = new Worker(new URL('./schedule-worker.ts', import.meta.url), {
        workerData: share,
        execArgv: ['--disable-warning=ExperimentalWarning'],
      })
      const [tally] = (await once(worker, 'message')) as [Tally]
      await worker.terminate()
      return tally
    }),
  )
  return tallies.reduce(added, nothing)
}

/** Fails with the first divergences and how to replay them. */
export function assertNoDivergence({ divergences }: Tally): void {
  const shown = divergences
    .slice(0, 5)
    .map(
      ({ schedule, message }) =>
        `${JSON.stringify(schedule)}: ${message} (npm run simulate -- --seed ${schedule.seed}${schedule.isOfFamily ? ' --kind family' : ''})`,
    )
  assert.equal(divergences.length, 0, `${divergences.length} schedules diverge:\n${shown.join('\n')}`)
}
