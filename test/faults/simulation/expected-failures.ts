import type { Scenario } from './scenario.ts'

/** What was done to the runs of a schedule. */
export interface Trouble {
  readonly scenario: Scenario
  readonly injected: number
  readonly damaged: number
  /** Who took an epoch. */
  readonly ownerOf: (epoch: number) => string | undefined
  /** Whether another run has committed since a run started. */
  readonly hasCommittedSince: (run: string) => boolean
}

/** A Distributed Map says only that an item has failed. */
const TROUBLE =
  /^(Transient|States\.Timeout|States\.ExceedToleratedFailureThreshold|Runtime\.ExitError|Lambda\.Unknown)\b/

/** Whether what was done to a run explains why its pipeline failed. */
export function mayFail(run: string, reason: string, trouble: Trouble): boolean {
  const { scenario, damaged } = trouble
  const holder = /^LeaseHeld: .* is held by (\S+) until/.exec(reason)?.[1]
  if (holder !== undefined) return holder !== run
  if (/^LeaseLost: .* took it over/.test(reason)) return true
  const epoch = /^Terminal: .* holds epoch \d+, and epoch (\d+) has taken/.exec(reason)?.[1]
  if (epoch !== undefined) return trouble.ownerOf(Number(epoch)) !== run
  if (/^(StagedObjectDamaged|StagedObjectMissing)\b/.test(reason)) return damaged > 0
  if (/the plan of run \S+ is no longer staged/.test(reason)) return damaged > 0
  if (/have no changed_at/.test(reason)) return scenario.missingCursors > 0 && scenario.shape.nulls === 'error'
  const overtaken = /^Terminal: .*run (\S+) cannot be resumed, since last_run has been/.exec(reason)?.[1]
  if (overtaken !== undefined) return trouble.hasCommittedSince(overtaken)
  if (/^DataQuality: .*(at most \d+ may be deleted|has no row at all)/.test(reason))
    return scenario.purgedAfterSeconds !== null || scenario.deletions > 0
  return isTroubled(trouble) && TROUBLE.test(reason)
}

function isTroubled({ scenario, injected }: Trouble): boolean {
  const { duplicates, late, resultsLost, runs, faults } = scenario
  return injected + duplicates + late + resultsLost > 0 || runs.length > 1 || faults.at !== undefined
}
