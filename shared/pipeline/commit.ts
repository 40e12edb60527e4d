import { DataQualityError, TerminalError } from '#shared/active-record/index.ts'
import type { StepRecord } from '#shared/state/state-store.ts'
import type { CommitInput, CommitOutput } from './events.ts'
import { checkFence, sumOfLedger } from './ledger.ts'
import type { Pipeline } from './pipeline.ts'
import { type Plan, readPlan } from './plan.ts'
import { quarantinePrefix } from './quarantine.ts'
import type { Services } from './services.ts'

/** Rows that are borne in the quarantine whatever their share: a day with few changes must not fail for one of them. */
const BORNE = 10

type Sums = Awaited<ReturnType<typeof sumOfLedger>>

/**
 * Closes a run of a pipeline: every partition in the ledger, the row equation, the quarantine's threshold, and only then `last_run`.
 * Throws `Terminal` when rows are not accounted for, `DataQuality` when too many are quarantined; nothing advances then.
 */
export async function commit(pipeline: Pipeline, input: CommitInput, services: Services): Promise<CommitOutput> {
  const { database } = pipeline.load.target
  const planned = await readPlan(services, input.plan)
  await database.transaction(() => checkFence(database, pipeline.name, input.epoch))
  const sums = await sumOfLedger(database, pipeline.name, input.run.id)
  checkEquation(pipeline, planned, sums)
  const step = stepRecord(pipeline, planned, sums, services)
  try {
    checkThreshold(pipeline, sums)
  } catch (error) {
    await services.state.putStep({
      ...step,
      status: 'failed',
      lastRunAfter: step.lastRunBefore,
      error: (error as Error).message,
    })
    throw error
  }
  const lease = { pipeline: pipeline.name, owner: input.run.id, epoch: planned.epoch, version: planned.version }
  await services.state.commit(lease, planned.window?.hi ?? null)
  await services.state.putStep(step)
  const { read, inserted, updated, unchanged, filtered, duplicate, quarantined } = sums
  return {
    read,
    inserted,
    updated,
    unchanged,
    filtered,
    duplicate,
    quarantined,
    last_run_before: step.lastRunBefore,
    last_run_after: step.lastRunAfter,
  }
}

function checkEquation(pipeline: Pipeline, planned: Plan, sums: Sums): void {
  if (sums.partitions !== planned.partitions.length) {
    throw new TerminalError(
      `${pipeline.name}: ${sums.partitions} of ${planned.partitions.length} partitions have landed, so last_run stays where it is; run the workflow again`,
    )
  }
  const right = sums.inserted + sums.updated + sums.unchanged + sums.filtered + sums.duplicate + sums.quarantined
  if (sums.read === right) return
  throw new TerminalError(
    `${pipeline.name}: the rows do not add up, so last_run stays where it is: read ${sums.read} is not inserted ${sums.inserted} + updated ${sums.updated} + unchanged ${sums.unchanged} + filtered ${sums.filtered} + duplicate ${sums.duplicate} + quarantined ${sums.quarantined} = ${right}; run the workflow again, and report it when it stays`,
  )
}

function checkThreshold(pipeline: Pipeline, sums: Sums): void {
  const { rows, share } = pipeline.quarantine
  const most = Math.min(rows, Math.max(BORNE, Math.floor(sums.read * share)))
  if (sums.quarantined <= most) return
  throw new DataQualityError(
    '',
    'quarantine_threshold',
    `${pipeline.name}: ${sums.quarantined} of ${sums.read} rows were quarantined and at most ${most} may be, so last_run stays where it is; look at their reasons, mend the source or the transform and run again, or raise the pipeline's quarantine: { rows, share }`,
  )
}

function stepRecord(pipeline: Pipeline, planned: Plan, sums: Sums, services: Services): StepRecord {
  const endTime = services.now()
  const { partitions: _, ...counts } = sums
  return {
    runId: planned.runId,
    step: pipeline.name,
    status: 'success',
    startTime: planned.startedAt,
    endTime,
    executionTimeSeconds: (endTime - planned.startedAt) / 1000,
    lastRunBefore: planned.window?.lo ?? null,
    lastRunAfter: planned.window?.hi ?? null,
    attempts: 1,
    error: null,
    quarantine: sums.quarantined > 0 ? quarantinePrefix(planned.runId, pipeline.name) : null,
    ...counts,
  }
}
