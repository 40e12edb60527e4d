import { hostname } from 'node:os'
import type { RunRecord, StateStore } from '#shared/state/state-store.ts'

/** What the record of a run says about who works on it. */
export const localRunner = (): string => `local:${hostname()}:${process.pid}`

/**
 * Ends a run that nobody works on any more: marks its open steps and itself as failed, gives its leases back. The
 * target needs nothing: what had not been committed was rolled back with its connection.
 */
export async function settleRun(
  state: StateStore,
  runId: string,
  reason: string,
  now: number = Date.now(),
): Promise<void> {
  await endRun(state, runId, reason, now)
  // Last: a Plan that comes late sees the end of the run, or its lease is given back here.
  const held = (await state.pipelines()).filter((pipeline) => pipeline.leaseOwner === runId)
  await Promise.all(held.map(({ pipeline }) => state.releaseLease(pipeline, runId)))
}

async function endRun(state: StateStore, runId: string, reason: string, now: number): Promise<void> {
  const detail = await state.run(runId)
  if (!detail) return
  const open = detail.steps.filter((step) => step.status === 'running')
  await Promise.all(open.map((step) => state.putStep({ ...step, status: 'failed', endTime: now, error: reason })))
  if (detail.run.status !== 'running') return
  const { recordsProcessed, recordsFailed } = detail.run
  await state.finishRun(runId, { status: 'failed', endTime: now, recordsProcessed, recordsFailed, error: reason })
}

/** Settles runs of this machine whose process is gone: killed, or lost with the power. Returns their ids. */
export async function settleDeadRuns(
  state: StateStore,
  isAlive: (pid: number) => boolean = processIsAlive,
): Promise<string[]> {
  const running = await state.runs({ status: 'running', limit: 100 })
  const dead = running.filter((run) => diedHere(run, isAlive))
  for (const run of dead) {
    await settleRun(
      state,
      run.id,
      `The process of this run (${run.runner}) ended before the run did; run it again, or go on with \`dray resume ${run.id}\`.`,
    )
  }
  return dead.map(({ id }) => id)
}

function diedHere({ runner }: RunRecord, isAlive: (pid: number) => boolean): boolean {
  const [, host, pid] = /^local:(.+):(\d+)$/.exec(runner) ?? []
  return host === hostname() && (Number(pid) === process.pid || !isAlive(Number(pid)))
}

function processIsAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
