import { TransientError } from '#shared/active-record/errors.ts'
import type { StateStore } from '#shared/state/state-store.ts'
import { holderOf, startRun, type TriggeredWorkflow, type TriggerServices, takeSlot } from './request-run.ts'
import { followUpOf, type RunRequest } from './run-request.ts'

/** A run that is over, as the service that ran it tells. */
export interface EndedRun {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly startTime: number
  readonly runner: string
  readonly trigger: string
  /** Why it ended before its last state; null when it got there. */
  readonly reason: string | null
}

export interface EndServices extends TriggerServices {
  readonly state: StateStore
}

const rounds = 20

/**
 * Cleans up after a run: its leases are given back, what it left open is marked as failed, its slot is freed, and the run
 * that waited for it starts. Returns that run's name, or null. A second call has no effect.
 */
export async function endRun(
  workflow: TriggeredWorkflow,
  ended: EndedRun,
  services: EndServices,
): Promise<string | null> {
  await settle(workflow, ended, services)
  return startFollowUp(workflow, ended.id, services)
}

async function settle(workflow: TriggeredWorkflow, ended: EndedRun, { state, now }: EndServices): Promise<void> {
  const { id, startTime, runner, trigger, reason } = ended
  for (const pipeline of workflow.pipelines) {
    if ((await state.pipeline(pipeline))?.leaseOwner === id) await state.releaseLease(pipeline, id)
  }
  if (reason === null) return
  await state.startRun({ id, workflow: workflow.name, startTime, runner, trigger })
  const detail = await state.run(id)
  for (const step of detail?.steps ?? []) {
    if (step.status === 'running') await state.putStep({ ...step, status: 'failed', endTime: now(), error: reason })
  }
  if (detail === null || detail.run.status !== 'running') return
  const { recordsProcessed, recordsFailed } = detail.run
  await state.finishRun(id, { status: 'failed', endTime: now(), recordsProcessed, recordsFailed, error: reason })
}

/** Starts the run that waits, unless another is on; `ended` is the run that is over, if any. */
export async function startFollowUp(
  workflow: TriggeredWorkflow,
  ended: string | null,
  services: EndServices,
): Promise<string | null> {
  for (let round = 0; round < rounds; round++) {
    const slot = await services.slots.open(workflow.name, services.now())
    if (slot.run !== null && slot.run !== ended) {
      if (!slot.started) await startRun(slot, services)
      return null
    }
    const refused = await refusedPipelines(workflow, services)
    const held = (await holderOf(workflow, services)) !== null
    const waiting = (slot.pending as RunRequest | null) ?? (refused.length > 0 ? followUpOf('follow-up') : null)
    if (waiting === null || held) {
      if (slot.run === null) return null
      if (await services.slots.write({ ...slot, run: null, started: false, request: null })) return null
    } else {
      const run = await takeSlot(slot, waiting, services)
      if (run !== null) {
        for (const pipeline of refused) await services.state.takePending(pipeline)
        return run
      }
    }
  }
  throw new TransientError(
    `the slot of ${workflow.name} was written by others all the time, so no follow-up was started; it is tried again`,
  )
}

/** Pipelines that refused a run while another held them, and that are free now. */
async function refusedPipelines({ pipelines }: TriggeredWorkflow, { state, now }: EndServices): Promise<string[]> {
  const states = await Promise.all(pipelines.map((pipeline) => state.pipeline(pipeline)))
  return states.flatMap((pipeline) =>
    pipeline?.pending && (pipeline.leaseOwner === null || (pipeline.leaseExpiresAt ?? 0) <= now())
      ? [pipeline.pipeline]
      : [],
  )
}

/** For runs whose end nobody told: ends the slot's run when it is over, and starts what waits. */
export async function sweep(workflow: TriggeredWorkflow, services: EndServices): Promise<string | null> {
  const slot = await services.slots.open(workflow.name, services.now())
  if (slot.run === null) return startFollowUp(workflow, null, services)
  if (!slot.started) {
    await startRun(slot, services)
    return null
  }
  if (!(await services.executions.isOver(slot.run))) return null
  const run = (await services.state.run(slot.run))?.run
  const ended: EndedRun = {
    id: slot.run,
    startTime: run?.startTime ?? services.now(),
    runner: run?.runner ?? 'stepfunctions',
    trigger: run?.trigger ?? (slot.request as RunRequest).trigger,
    reason: 'The run is over, and nothing told how it ended; see its execution.',
  }
  return endRun(workflow, ended, services)
}
