import type { Cause } from '#dray/messages/run-input.ts'
import type { StateStore } from '#dray/state/state-store.ts'

/** How many are looked up for a batch: an honest one names a run or two of each workflow. */
const MOST = 200
const AT_ONCE = 20

/**
 * Says of each cause whether it counts: whether the state table has it as a run of that workflow. An event may come
 * from anybody who can put one on the bus; runs that never were must not keep a workflow from starting.
 */
export async function knownCauses(
  causes: readonly Cause[],
  state: Pick<StateStore, 'workflowOf'>,
): Promise<(cause: Cause) => boolean> {
  const runs = [...new Set(causes.map(({ run }) => run))].slice(-MOST)
  const workflows = new Map<string, string | null>()
  for (let from = 0; from < runs.length; from += AT_ONCE) {
    const some = runs.slice(from, from + AT_ONCE)
    const found = await Promise.all(some.map((run) => state.workflowOf(run)))
    for (const [index, run] of some.entries()) workflows.set(run, found[index] ?? null)
  }
  return ({ workflow, run }) => workflows.get(run) === workflow
}
