import type { StateStore } from '#dray/state/state-store.ts'

/** How a run came to its end. */
export interface Ending {
  readonly id: string
  /** Why it ended before its last state; null when it got there. */
  readonly reason: string | null
  /** Somebody stopped it. */
  readonly wasStopped?: boolean
  /** Milliseconds since 1970. */
  readonly now: number
  /** Those that the run may hold. */
  readonly pipelines: readonly string[]
}

/**
 * Ends a run that nobody works on any more: marks its open steps as failed, itself as failed or interrupted, gives its
 * leases back. The target needs nothing: what had not been committed was rolled back with its connection.
 */
export async function settleRun(ending: Ending, state: StateStore): Promise<void> {
  if (ending.reason !== null) await markFailed(ending, ending.reason, state)
  // Last: a Plan that comes late sees the end of the run, or its lease is given back here.
  for (const pipeline of ending.pipelines) {
    if ((await state.pipeline(pipeline))?.leaseOwner === ending.id) await state.releaseLease(pipeline, ending.id)
  }
}

async function markFailed({ id, now, wasStopped = false }: Ending, reason: string, state: StateStore): Promise<void> {
  const detail = await state.run(id)
  const open = detail?.steps.filter(({ status }) => status === 'running') ?? []
  // Of a task it is known why it failed.
  const failed = open.map((step) => ({ ...step, status: 'failed' as const, endTime: now, error: step.error ?? reason }))
  await Promise.all(failed.map((step) => state.putStep(step)))
  if (detail?.run.status !== 'running') return
  const { recordsProcessed, recordsFailed } = detail.run
  const status = wasStopped ? 'interrupted' : 'failed'
  await state.finishRun(id, { status, endTime: now, recordsProcessed, recordsFailed, error: reason })
}
