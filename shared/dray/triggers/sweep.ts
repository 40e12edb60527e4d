import type { RunRequest } from '#dray/messages/run-input.ts'
import { unitOf } from '#dray/messages/step-name.ts'
import { type EndedRun, type EndServices, endRun, startFollowUp } from './end-run.ts'
import { leasedBy, startRun, type TriggeredWorkflow } from './request-run.ts'
import { settleRun } from './settle-run.ts'

const RUNNER = 'stepfunctions'
const NOBODY_TOLD = 'The run is over, and nothing told how it ended; see its execution.'
/** For so long after a start the service may not know it: what DescribeExecution tells is eventually consistent. */
const UNTIL_KNOWN_MS = 60_000

/**
 * For runs whose end nobody told: ends those that hold a pipeline, and the slot's run, when they are over, and starts
 * what waits.
 */
export async function sweep(workflow: TriggeredWorkflow, services: EndServices): Promise<string | null> {
  const slot = await services.slots.open(workflow.name, services.now())
  const followUp = await endHolders(workflow, slot.run, services)
  return followUp ?? sweepSlot(workflow, services)
}

async function sweepSlot(workflow: TriggeredWorkflow, services: EndServices): Promise<string | null> {
  const slot = await services.slots.open(workflow.name, services.now())
  if (slot.run === null) return startFollowUp(workflow, null, services)
  if (!slot.started) {
    await startRun(slot, services)
    return null
  }
  const startedAt = slot.startedAt ?? slot.tookAt ?? 0
  if (!(await isOver({ id: slot.run, startedAt, pipeline: null }, services))) return null
  const run = (await services.state.run(slot.run))?.run
  const request = slot.request as RunRequest
  const ended: EndedRun = {
    id: slot.run,
    startTime: run?.startTime ?? services.now(),
    runner: run?.runner ?? RUNNER,
    trigger: run?.trigger ?? request.trigger,
    mode: request.mode === undefined ? null : JSON.stringify(request.mode),
    only: request.only ?? null,
    reason: NOBODY_TOLD,
  }
  return endRun(workflow, ended, services)
}

/**
 * Ends runs beside the slot's that are over and hold a pipeline: those that a person has started, whose leases nobody
 * would give back for hours. Returns the run that follows, or null.
 */
async function endHolders(
  workflow: TriggeredWorkflow,
  slotRun: string | null,
  services: EndServices,
): Promise<string | null> {
  const { state, now } = services
  const held = leasedBy(workflow)
  const states = await Promise.all(held.map((pipeline) => state.pipeline(pipeline)))
  const owners = new Set(states.flatMap((pipeline) => pipeline?.leaseOwner ?? []))
  let followUp: string | null = null
  for (const owner of owners) {
    const run = owner === slotRun ? undefined : (await state.run(owner))?.run
    // A process of somebody's own, whose end no service knows.
    if (run?.runner !== RUNNER) continue
    const startedAt = run.startTime
    if (run.workflow === workflow.name) {
      if (!(await isOver({ id: owner, startedAt, pipeline: null }, services))) continue
      followUp = (await endRun(workflow, { ...run, reason: NOBODY_TOLD }, services)) ?? followUp
    } else if (held.includes(run.workflow)) {
      if (!(await isOver({ id: owner, startedAt, pipeline: run.workflow }, services))) continue
      // With the tables of a replica.
      const pipelines = held.filter((one) => one === run.workflow || unitOf(one) === run.workflow)
      await settleRun({ id: owner, reason: NOBODY_TOLD, now: now(), pipelines }, state)
    }
  }
  return followUp
}

interface StartedRun {
  readonly id: string
  readonly startedAt: number
  /** That it is a run of alone; null where it is one of the workflow. */
  readonly pipeline: string | null
}

async function isOver(
  { id, startedAt, pipeline }: StartedRun,
  { executions, now }: Pick<EndServices, 'executions' | 'now'>,
): Promise<boolean> {
  const state = await executions.stateOf(id, pipeline)
  return state === 'ended' || (state === 'unknown' && now() > startedAt + UNTIL_KNOWN_MS)
}
