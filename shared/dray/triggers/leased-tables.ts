import { isTableStep, unitOf } from '#dray/messages/step-name.ts'
import type { StateStore } from '#dray/state/state-store.ts'
import type { TriggeredWorkflow } from './request-run.ts'

/** A workflow with the tables of its replicas that a run holds, or that are wanted: no definition names them. */
export async function withLeasedTables(
  workflow: TriggeredWorkflow,
  replicas: readonly string[],
  state: Pick<StateStore, 'pipelines'>,
): Promise<TriggeredWorkflow> {
  if (replicas.length === 0) return workflow
  const known = await state.pipelines()
  const tables = known.filter(
    ({ pipeline, leaseOwner, pending }) =>
      isTableStep(pipeline) && replicas.includes(unitOf(pipeline)) && (leaseOwner !== null || pending),
  )
  const names = tables.map(({ pipeline }) => pipeline)
  return { ...workflow, tables: names.filter((name) => !workflow.pipelines.includes(name)) }
}
