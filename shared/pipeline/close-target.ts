import { prepareClosings } from './closing.ts'
import type { PlannedSchema } from './contract.ts'
import { deleteGone } from './delete-gone.ts'
import { type CommitInput, planningRun } from './events.ts'
import type { Pipeline } from './pipeline.ts'
import { prepareReplacement, swapIn } from './replacement.ts'
import { startOf } from './run-time.ts'
import type { Services } from './services.ts'

/** What Plan and Commit need to know of a plan here. */
interface WholeRun {
  readonly runId: string
  /** False for a run of some rows only: it leaves what it does not read alone. */
  readonly advances: boolean
  readonly schema?: PlannedSchema
}

/** At Plan, behind the fence: makes what the load and the Commit of a whole run need in the target. */
export async function prepareTarget(pipeline: Pipeline, run: WholeRun, epoch: number): Promise<void> {
  if (!run.advances) return
  if (pipeline.load.kind === 'replace') await prepareReplacement(pipeline, { runId: run.runId, epoch })
  else if (pipeline.deletes.kind !== 'ignore') await prepareClosings(pipeline.load.target.database)
}

/** At Commit, before `last_run` moves: swaps a replacement in, deletes what is gone; says how many rows were deleted. */
export async function closeTarget(
  pipeline: Pipeline,
  input: CommitInput,
  planned: WholeRun,
  rows: number,
  services: Services,
): Promise<number> {
  if (!planned.advances) return 0
  const run = { runId: planningRun(input), epoch: input.epoch }
  if (pipeline.load.kind === 'replace') await swapIn(pipeline, run, { rows, schema: planned.schema })
  if (pipeline.deletes.kind === 'ignore') return 0
  const prefix = `runs/${input.run.id}/${pipeline.name}`
  return deleteGone(pipeline, { ...run, at: startOf(input.run), prefix }, services)
}
