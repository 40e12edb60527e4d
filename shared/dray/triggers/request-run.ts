import { TerminalError, TransientError } from '#dray/errors.ts'
import { runIdOf } from '#dray/messages/run-id.ts'
import type { RunRequest } from '#dray/messages/run-input.ts'
import type { StateStore } from '#dray/state/state-store.ts'
import type { WorkflowSlot, WorkflowSlots } from '#dray/state/workflow-slots.ts'
import { fingerprint, leastOf, unionOf } from './run-request.ts'

/** A workflow, as far as what starts it needs to know. */
export interface TriggeredWorkflow {
  readonly name: string
  readonly pipelines: readonly string[]
  /** Tables of its replicas that are no steps: those that a run holds, or that wait for one. */
  readonly tables?: readonly string[]
  /** Milliseconds from one run to the next that nothing but events asks for. */
  readonly minInterval: number
}

/** `unknown`: there is no such run, or it was started a moment ago. */
export type ExecutionState = 'running' | 'ended' | 'unknown'

/** What runs a workflow. */
export interface Executions {
  /** Starts a run of this name; a second start of the same name has no effect. */
  start(run: string, request: RunRequest): Promise<void>
  /** What is known of a run of the workflow, or of one that a person has started of a pipeline alone. */
  stateOf(run: string, pipeline: string | null): Promise<ExecutionState>
  /** Ends what a run has started for these pipelines; what has ended already stays as it is. */
  stopPipelines(run: string, pipelines: readonly string[]): Promise<void>
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
  /** The last run has started too short a time ago; a sweep, or an event after it, starts the next. */
  | { readonly kind: 'waiting'; readonly until: number }
  /** Every event has been seen before. */
  | { readonly kind: 'duplicate' }

const ROUNDS = 20
/** Events are delivered again for a day at most; ten kilobytes of the item. */
const MOST_SEEN = 1000

/**
 * Starts one run for all of the requests, or notes that one is to follow the run that is on. However many ask at once,
 * one starts; what asks a second time has no effect; events wait until `minInterval` is over. Throws `Transient` when
 * others kept writing in between.
 */
export async function requestRun(
  workflow: TriggeredWorkflow,
  requests: readonly RunRequest[],
  services: TriggerServices,
): Promise<RequestOutcome> {
  const asked = new Set(requests.flatMap(({ events }) => events.map(fingerprint)))
  for (let round = 0; round < ROUNDS; round++) {
    const slot = await services.slots.open(workflow.name, services.now())
    // A call before this one took the slot and ended before it could start the run.
    if (slot.run !== null && !slot.started) await startRun(slot, services)
    const known = new Set(slot.seen)
    const fresh = [...asked.difference(known)]
    if (fresh.length === 0) return { kind: 'duplicate' }
    const seen = [...slot.seen, ...fresh].slice(-MOST_SEEN)
    const wanted = unionOf(slot.pending === null ? requests : [slot.pending, ...requests])
    const behind = slot.run ?? (await holderOf(workflow, services))
    const until = heldUntil(workflow, slot, wanted)
    if (behind !== null) {
      if (await services.slots.write({ ...slot, seen, pending: wanted })) return { kind: 'pending', behind }
    } else if (until > services.now()) {
      if (await services.slots.write({ ...slot, seen, pending: wanted })) return { kind: 'waiting', until }
    } else {
      const run = await takeSlot({ ...slot, seen }, wanted, services)
      if (run !== null) return { kind: 'started', run }
    }
  }
  throw new TransientError(
    `${workflow.name} was asked for by so many at once that this request was not noted; it is tried again`,
  )
}

/** Triggers of a slot's requests that are no events. */
const NEVER_HELD = new Set(['schedule', 'follow-up'])

/** When a request may start, in milliseconds since 1970; what a schedule asks for, too, is held by nothing. */
export function heldUntil(
  { minInterval }: TriggeredWorkflow,
  { tookAt }: WorkflowSlot,
  { trigger }: RunRequest,
): number {
  const isOfEvents = trigger.split(',').every((one) => !NEVER_HELD.has(one))
  return isOfEvents && tookAt !== null ? tookAt + minInterval : 0
}

/** The run that has the slot from now on, started, with `pending` behind it; null when another call was faster. */
export async function takeSlot(
  slot: WorkflowSlot,
  request: RunRequest,
  services: Pick<TriggerServices, 'slots' | 'executions' | 'now'>,
  pending: RunRequest | null = null,
): Promise<string | null> {
  const generation = slot.generation + 1
  const tookAt = services.now()
  const run = runIdOf(`${slot.workflow}#${generation}`, new Date(tookAt))
  const taken = { ...slot, generation, run, tookAt, started: false, startedAt: null, request, pending }
  if (!(await services.slots.write(taken))) return null
  await startRun({ ...taken, revision: slot.revision + 1 }, services)
  return run
}

/**
 * Starts the run of a slot: its name is there, so that this can be done again after any fault. A request that is
 * refused for good is asked for again with as little as it needs; when that is refused, too, it waits in the slot for
 * the next look at it, which is free again, and this throws `Terminal`.
 */
export async function startRun(
  slot: WorkflowSlot,
  services: Pick<TriggerServices, 'slots' | 'executions' | 'now'>,
): Promise<void> {
  if (slot.run === null) return
  const { slots, executions, now } = services
  const request = slot.request as RunRequest
  try {
    await executions.start(slot.run, request)
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error
    return startLess(slot, error, services)
  }
  // When another call has written meanwhile, the next one starts the run again, which has no effect.
  await slots.write({ ...slot, started: true, startedAt: now() })
}

async function startLess(
  slot: WorkflowSlot,
  refusal: TerminalError,
  services: Pick<TriggerServices, 'slots' | 'executions' | 'now'>,
): Promise<void> {
  const request = slot.request as RunRequest
  const least = leastOf(request)
  if (JSON.stringify(least) !== JSON.stringify(request)) {
    const lessened = { ...slot, request: least }
    // Another call that was faster starts the run, with as little.
    if (!(await services.slots.write(lessened))) return
    return startRun({ ...lessened, revision: slot.revision + 1 }, services)
  }
  const pending = unionOf(slot.pending === null ? [least] : [least, slot.pending])
  await services.slots.write({ ...slot, run: null, started: false, request: null, pending })
  throw refusal
}

/** A run from outside, such as one from the console, that works on a pipeline of the workflow. */
export async function holderOf(
  workflow: TriggeredWorkflow,
  { state, now }: Pick<TriggerServices, 'state' | 'now'>,
): Promise<string | null> {
  const states = await Promise.all(leasedBy(workflow).map((pipeline) => state.pipeline(pipeline)))
  const held = states.find((pipeline) => pipeline?.leaseOwner && (pipeline.leaseExpiresAt ?? 0) > now())
  return held?.leaseOwner ?? null
}

/** All that a run of the workflow may hold. */
export function leasedBy({ pipelines, tables = [] }: TriggeredWorkflow): readonly string[] {
  return [...pipelines, ...tables]
}
