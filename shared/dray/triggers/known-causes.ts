import type { Cause } from '#dray/messages/run-input.ts'
import type { StateStore } from '#dray/state/state-store.ts'

/** How many are looked up for a batch: an honest one names a run or two of each workflow. */
const MOST = 500

/**
 * Says of each cause whether it counts: whether the state table has it as a run of that workflow. An event may come
 * from anybody who can put one on the bus; runs that never were must not keep a workflow from starting.
 */
export async function knownCauses(
  causes: readonly Cause[],
  state: Pick<StateStore, 'workflowOf'>,
): Promise<(cause: Cause) => boolean> {
  const runs = [...new Set(causes.map(({ run }) => run))].slice(-MOST)
  const workflows = new Map(await Promise.all(runs.map(async (run) => [run, await state.workflowOf(run)] as const)))
  return ({ workflow, run }) => workflows.get(run) === workflow
}
