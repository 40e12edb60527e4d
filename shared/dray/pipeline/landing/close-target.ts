import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { gonePrefix } from '#dray/staging/keys.ts'
import type { Services } from '../services.ts'
import { deleteGone } from './delete-gone.ts'
import { prepareReplacement, swapIn } from './replacement.ts'

/**
 * What is asked of a plan here. One that does not advance is of some rows only: it leaves what it does not read alone.
 */
type PlannedRun = Pick<Plan, 'runId' | 'advances' | 'schema'>

/** At Plan, behind the fence: makes the table in which a replace of the whole table gathers its rows. */
export async function prepareTarget(pipeline: Pipeline, run: PlannedRun, epoch: number): Promise<void> {
  if (run.advances && pipeline.load.kind === 'replace') await prepareReplacement(pipeline, { runId: run.runId, epoch })
}

/**
 * At Commit, before `last_run` moves: swaps a replacement in, deletes what is gone; says how many rows were deleted.
 */
export async function closeTarget(
  pipeline: Pipeline,
  input: CommitInput,
  planned: PlannedRun,
  rows: number,
  services: Services,
): Promise<number> {
  if (!planned.advances) return 0
  const run = { runId: planningRun(input), epoch: input.epoch }
  if (pipeline.load.kind === 'replace') await swapIn(pipeline, run, { rows, schema: planned.schema })
  if (pipeline.deletes.kind === 'ignore') return 0
  const prefix = gonePrefix(input.run.id, pipeline.name)
  return deleteGone(pipeline, { ...run, at: startOf(input.run), prefix }, services)
}
