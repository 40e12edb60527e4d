import { createHash } from 'node:crypto'
import { TransientError } from '#dray/errors.ts'
import { runIdOf } from '#dray/messages/run-id.ts'
import type { RunRequest } from '#dray/messages/run-input.ts'
import type { StateStore } from '#dray/state/state-store.ts'
import type { WorkflowSlot, WorkflowSlots } from '#dray/state/workflow-slots.ts'
import { unionOf } from './run-request.ts'

/** A workflow, as far as what starts it needs to know. */
export interface TriggeredWorkflow {
  readonly name: string
  readonly pipelines: readonly string[]
}

/** What runs a workflow. */
export interface Executions {
  /** Starts a run of this name; a second start of the same name has no effect. */
  start(run: string, request: RunRequest): Promise<void>
  /** Whether a run has ended, or never was. */
  isOver(run: string): Promise<boolean>
}

export interface TriggerServices {
  readonly state: Pick<StateStore, 'pipeline'>
  readonly slots: WorkflowSlots
  readonly executions: Executions
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export type RequestOutcome =
  | { readonly kind: 'started'; readonly run: string }
  /** A run is on; another starts when it ends. */
  | { readonly kind: 'pending'; readonly behind: string }
  /** Every event has been seen before. */
  | { readonly kind: 'duplicate' }

const ROUNDS = 20
/** Events are delivered again for a day at most; ten kilobytes of the item. */
const MOST_SEEN = 1000

/**
 * Starts a run, or notes that one is to follow the run that is on. However many ask at once, one starts; what asks a
 * second time has no effect. Throws `Transient` when others kept writing in between.
 */
export async function requestRun(
  workflow: TriggeredWorkflow,
  request: RunRequest,
  services: TriggerServices,
): Promise<RequestOutcome> {
  for (let round = 0; round < ROUNDS; round++) {
    const slot = await services.slots.open(workflow.name, services.now())
    // A call before this one took the slot and ended before it could start the run.
    if (slot.run !== null && !slot.started) await startRun(slot, services)
    const fresh = request.events.filter((event) => !slot.seen.includes(fingerprint(event)))
    if (fresh.length === 0) return { kind: 'duplicate' }
    const seen = [...slot.seen, ...fresh.map(fingerprint)].slice(-MOST_SEEN)
    const wanted = slot.pending === null ? request : unionOf(slot.pending, request)
    const behind = slot.run ?? (await holderOf(workflow, services))
    if (behind !== null) {
      if (await services.slots.write({ ...slot, seen, pending: wanted })) return { kind: 'pending', behind }
    } else {
      const run = await takeSlot({ ...slot, seen }, wanted, services)
      if (run !== null) return { kind: 'started', run }
    }
  }
  throw new TransientError(
    `${workflow.name} was asked for by so many at once that this request was not noted; it is tried again`,
  )
}

/** The run that has the slot from now on, started, with `pending` behind it; null when another call was faster. */
export async function takeSlot(
  slot: WorkflowSlot,
  request: RunRequest,
  services: Pick<TriggerServices, 'slots' | 'executions' | 'now'>,
  pending: RunRequest | null = null,
): Promise<string | null> {
  const generation = slot.generation + 1
  const run = runIdOf(`${slot.workflow}#${generation}`, new Date(services.now()))
  const taken = { ...slot, generation, run, started: false, request, pending }
  if (!(await services.slots.write(taken))) return null
  await startRun({ ...taken, revision: slot.revision + 1 }, services)
  return run
}

/** The run's name is in the slot, so that this can be done again after any fault. */
export async function startRun(
  slot: WorkflowSlot,
  { slots, executions }: Pick<TriggerServices, 'slots' | 'executions'>,
): Promise<void> {
  if (slot.run === null) return
  await executions.start(slot.run, slot.request as RunRequest)
  // When another call has written meanwhile, the next one starts the run again, which has no effect.
  await slots.write({ ...slot, started: true })
}

/** A run from outside, such as one from the console, that works on a pipeline of the workflow. */
export async function holderOf(
  { pipelines }: TriggeredWorkflow,
  { state, now }: Pick<TriggerServices, 'state' | 'now'>,
): Promise<string | null> {
  const states = await Promise.all(pipelines.map((pipeline) => state.pipeline(pipeline)))
  const held = states.find((pipeline) => pipeline?.leaseOwner && (pipeline.leaseExpiresAt ?? 0) > now())
  return held?.leaseOwner ?? null
}

function fingerprint(event: string): string {
  return createHash('sha256').update(event).digest('base64url').slice(0, 16)
}
