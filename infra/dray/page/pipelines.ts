import type { StateStore } from 'dray/internal/state/state-store.ts'
import type { PipelineStateDocument } from './documents.ts'

export async function pipelineStates(state: StateStore): Promise<PipelineStateDocument[]> {
  const known = await state.pipelines()
  return known.map(({ pipeline, lastRun, leaseOwner, pending, version, countedRows }) => ({
    pipeline,
    lastRun,
    leaseOwner,
    isPending: pending,
    version,
    countedRows,
  }))
}
