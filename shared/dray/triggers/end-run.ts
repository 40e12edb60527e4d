import { TransientError } from '#dray/errors.ts'
import type { RunRequest } from '#dray/messages/run-input.ts'
import { unitOf } from '#dray/messages/step-name.ts'
import type { RunRecord, RunStart, StateStore } from '#dray/state/state-store.ts'
import type { WorkflowSlot } from '#dray/state/workflow-slots.ts'
import { latestRuns, refusedAmong } from './refused-runs.ts'
import {
  heldUntil,
  holderOf,
  leasedBy,
  startRun,
  type TriggeredWorkflow,
  type TriggerServices,
  takeSlot,
} from './request-run.ts'
import { followUpOf } from './run-request.ts'
import { settleRun } from './settle-run.ts'

/** A run that is over, as the service that ran it tells. */
export interface EndedRun extends Omit<RunStart, 'workflow'> {
  /** Why it ended before its last state; null when it got there. */
  readonly reason: string | null
  /** Somebody stopped it. */
  readonly wasStopped?: boolean
}

export interface EndServices extends TriggerServices {
  readonly state: StateStore
}

const ROUNDS = 20

/**
 * Cleans up after a run: its leases are given back, what it left open is marked as failed, its slot is freed, and the
 * run that waited for it starts. Returns that run's name, or null. A second call has no effect.
 */
export async function endRun(
  workflow: TriggeredWorkflow,
  { reason, wasStopped = false, ...start }: EndedRun,
  services: EndServices,
): Promise<string | null> {
  const { state, now } = services
  if (reason !== null) {
    await state.startRun({ ...start, workflow: workflow.name })
    await stopPipelines(workflow, start.id, services)
  }
  await settleRun({ id: start.id, reason, wasStopped, now: now(), pipelines: leasedBy(workflow) }, state)
  return startFollowUp(workflow, start.id, services)
}

/**
 * The service stops them when it stops the execution that waits for them, if it can: one that goes on would load rows
 * under a lease that another run has.
 */
async function stopPipelines({ pipelines }: TriggeredWorkflow, run: string, services: EndServices): Promise<void> {
  const open = (await services.state.run(run))?.steps.filter(({ status }) => status === 'running') ?? []
  const running = open
    .map(({ step }) => step)
    .filter((step) => pipelines.includes(step) || pipelines.includes(unitOf(step)))
  if (running.length > 0) await services.executions.stopPipelines(run, running)
}

/** Starts the run that waits, unless another is on; `ended` is the run that is over, if any. */
export async function startFollowUp(
  workflow: TriggeredWorkflow,
  ended: string | null,
  services: EndServices,
): Promise<string | null> {
  for (let round = 0; round < ROUNDS; round++) {
    const slot = await services.slots.open(workflow.name, services.now())
    if (slot.run !== null && slot.run !== ended) {
      if (!slot.started) await startRun(slot, services)
      return null
    }
    const held = (await holderOf(workflow, services)) !== null
    const next = held ? null : await nextRun(workflow, { slot, ended }, services)
    if (next === null) {
      if (slot.run === null) return null
      if (await services.slots.write({ ...slot, run: null, started: false, request: null })) return null
    } else {
      const run = await takeSlot(slot, next.request, services, next.pending)
      if (run !== null) {
        for (const pipeline of next.done) await services.state.takePending(pipeline)
        return run
      }
    }
  }
  throw new TransientError(
    `the slot of ${workflow.name} was written by others all the time, so no follow-up was started; it is tried again`,
  )
}

interface NextRun {
  readonly request: RunRequest
  /** What goes on waiting. */
  readonly pending: RunRequest | null
  /** Pipelines whose wish for a run is met by it. */
  readonly done: readonly string[]
}

/**
 * The run that is to follow: one that resumes a run that was refused, as it was asked for; or the one that waits in the
 * slot, which does the work of a usual run that was refused, too.
 */
async function nextRun(
  workflow: TriggeredWorkflow,
  { slot, ended }: { readonly slot: WorkflowSlot; readonly ended: string | null },
  { state, now }: EndServices,
): Promise<NextRun | null> {
  const waiting = slot.pending
  const free = await refusedPipelines(workflow, { state, now })
  if (free.length === 0) {
    if (waiting === null || heldUntil(workflow, slot, waiting) > now()) return null
    return { request: waiting, pending: null, done: [] }
  }
  const runs = await latestRuns(state, now(), workflow.name)
  const refused = await refusedAmong(runs, new Set(free), state)
  const [first, ...later] = waiting === null ? refused : refused.filter(({ run }) => run.mode !== null)
  if (first !== undefined) {
    const wanted = new Set(later.flatMap((one) => one.pipelines))
    return { request: resumed(first.run), pending: waiting, done: free.filter((pipeline) => !wanted.has(pipeline)) }
  }
  if (waiting !== null) return { request: waiting, pending: null, done: free }
  // Of a run that is still on, it will be known at its end what it was refused.
  if (runs.some(({ id, status }) => status === 'running' && id !== ended)) return null
  return { request: { ...followUpOf('follow-up'), ...partOf(workflow, free) }, pending: null, done: free }
}

/** The steps that do the work of pipelines; of a replica the tables alone, unless all of it is wanted. */
function partOf({ pipelines }: TriggeredWorkflow, wanted: readonly string[]): Pick<RunRequest, 'only' | 'tables'> {
  const stepOf = (name: string) => (pipelines.includes(name) ? name : unitOf(name))
  const tables = wanted.filter((name) => !pipelines.includes(name) && !wanted.includes(unitOf(name)))
  return { only: [...new Set(wanted.map(stepOf))], ...(tables.length === 0 ? {} : { tables }) }
}

function resumed({ id, only }: RunRecord): RunRequest {
  return { ...followUpOf('follow-up'), ...(only === null ? {} : { only }), mode: { resume: id } }
}

/** Pipelines that refused a run while another held them, and that are free now. */
async function refusedPipelines(
  workflow: TriggeredWorkflow,
  { state, now }: Pick<EndServices, 'state' | 'now'>,
): Promise<string[]> {
  const states = await Promise.all(leasedBy(workflow).map((pipeline) => state.pipeline(pipeline)))
  return states.flatMap((pipeline) =>
    pipeline?.pending && (pipeline.leaseOwner === null || (pipeline.leaseExpiresAt ?? 0) <= now())
      ? [pipeline.pipeline]
      : [],
  )
}
