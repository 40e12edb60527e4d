import type { Scenario } from './scenario.ts'
import type { WorldEvents } from './world-events.ts'

/** What was done to the runs of a schedule. */
export interface Trouble {
  readonly scenario: Scenario
  readonly injected: number
  readonly damaged: number
  /** Who took an epoch. */
  readonly ownerOf: (epoch: number) => string | undefined
  /** Whether another run has committed since a run started. */
  readonly hasCommittedSince: (run: string) => boolean
  /** What has happened to the databases. */
  readonly events: WorldEvents
  readonly startedAt: number
  readonly isElsewhere: boolean
}

/** A Distributed Map says only that an item has failed. */
const TROUBLE =
  /^(Transient|States\.Timeout|States\.ExceedToleratedFailureThreshold|Runtime\.ExitError|Lambda\.Unknown)\b/

/** Whether what was done to a run explains why its pipeline failed. */
export function mayFail(run: string, reason: string, trouble: Trouble): boolean {
  const { scenario, damaged } = trouble
  if (isOfTheWorld(reason, trouble)) return true
  const holder = /^LeaseHeld: .* is held by (\S+) until/.exec(reason)?.[1]
  if (holder !== undefined) return holder !== run
  if (/^LeaseLost: .* took it over/.test(reason)) return true
  const [, held, taken] = /^Terminal: .* holds epoch (\d+), and epoch (\d+) has taken/.exec(reason) ?? []
  if (taken !== undefined) return wasOvertaken(run, Number(held), Number(taken), trouble)
  if (/^(StagedObjectDamaged|StagedObjectMissing)\b/.test(reason)) return damaged > 0
  if (/the plan of run \S+ is no longer staged/.test(reason)) return damaged > 0
  if (/\b(?:has|have) no changed_at/.test(reason))
    return scenario.missingCursors > 0 && scenario.shape.nulls === 'error'
  const overtaken = /^Terminal: .*run (\S+) cannot be resumed, since last_run has been/.exec(reason)?.[1]
  if (overtaken !== undefined) return trouble.hasCommittedSince(overtaken)
  if (/^DataQuality: .*(at most \d+ may be deleted|has no row at all|may lose \d+ at most)/.test(reason))
    return scenario.purgedAfterSeconds !== null || scenario.deletions > 0
  if (/^DataQuality: .*of its \d+ checks? (does|do) not hold/.test(reason)) return scenario.shape.check === 'fail'
  return isTroubled(trouble) && TROUBLE.test(reason)
}

/** Whether what happened to the databases explains it. */
function isOfTheWorld(reason: string, { scenario, events, startedAt, isElsewhere }: Trouble): boolean {
  const { world } = scenario
  if (/the database that \S+ is bound to is not the one/.test(reason)) return isElsewhere
  if (/the pipeline rival writes/.test(reason)) return events.overlapsRival(startedAt)
  if (/row-level security policy/.test(reason)) return events.overlaps(world.hides, startedAt)
  if (/counts \d+ keys and gives \d+/.test(reason)) return events.overlaps(world.hides, startedAt)
  if (/were there after \d+ had been deleted/.test(reason)) return world.trigger === 'keeps rows'
  if (/so an append (from last_run )?would/.test(reason)) return events.areApart(startedAt)
  if (
    events.targetChangedAt >= startedAt &&
    /^Terminal: .*(in dray_fence|has landed|have landed|holds epoch|were gathered|no table \S+__dray_next)/.test(reason)
  )
    return true
  if (events.stateLostAt >= startedAt && /^(LeaseLost|Terminal: .*holds epoch)/.test(reason)) return true
  return events.isStateLost && /cannot be resumed/.test(reason)
}

/** Whether another run had the lease in between, though a late Plan of this one may have taken it again. */
function wasOvertaken(run: string, held: number, taken: number, { ownerOf }: Trouble): boolean {
  for (let epoch = held + 1; epoch <= taken; epoch++) if (ownerOf(epoch) !== run) return true
  return false
}

function isTroubled({ scenario, injected }: Trouble): boolean {
  const { duplicates, late, resultsLost, runs, faults } = scenario
  return injected + duplicates + late + resultsLost > 0 || runs.length > 1 || faults.at !== undefined
}
