import { withDeadline } from '#dray/database/deadline.ts'
import { TerminalError } from '#dray/errors.ts'
import type { PlanInput, PlanOutput } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { prepareTarget } from '#dray/pipeline/landing/close-target.ts'
import { raiseFence } from '#dray/pipeline/landing/ledger.ts'
import { migrateTarget } from '#dray/pipeline/landing/migrate.ts'
import { landedPlan } from '#dray/pipeline/landing/resume.ts'
import { MOST_INLINE_PARTITIONS } from '#dray/pipeline/plan/capacity.ts'
import { checkContract } from '#dray/pipeline/plan/contract.ts'
import { modeOfEvents } from '#dray/pipeline/plan/event-keys.ts'
import { doneBefore, resumedMode } from '#dray/pipeline/plan/resumed-runs.ts'
import { refuseToLoadTwice } from '#dray/pipeline/plan/rows-again.ts'
import { type Plan, type PlannedWork, stagePlan } from '#dray/pipeline/plan/staged-plan.ts'
import { stageOpenKeys } from '#dray/pipeline/quarantine/open-keys.ts'
import { writeJsonArray } from '#dray/staging/documents.ts'
import { itemsPrefix } from '#dray/staging/keys.ts'
import { emptyStep, type Lease } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { draftRun } from './draft-run.ts'
import { enterRun } from './enter-run.ts'

/** A lease outlives the longest run that is expected; the fence, not the lease, keeps an overtaken run from writing. */
const LEASE_MS = 6 * 3600 * 1000

/**
 * Takes the lease, raises the fence in the target, fixes the window and cuts it into partitions; of a run that is
 * resumed, takes over its plan. Throws `LeaseHeld` when another run holds the pipeline, `Terminal` when a model does
 * not fit its live table.
 */
export function plan(pipeline: Pipeline, input: PlanInput, services: Services): Promise<PlanOutput> {
  return withDeadline(services.signal, () => makePlan(pipeline, input, services))
}

async function makePlan(pipeline: Pipeline, input: PlanInput, services: Services): Promise<PlanOutput> {
  const { state, now } = services
  const startedAt = now()
  const { run } = input
  const mode = input.mode ?? null
  await enterRun(input, services)
  const doneBy = await doneBefore(pipeline.name, input, services)
  if (doneBy !== null) return planAlreadyDone(pipeline, run.id, { doneBy, startedAt }, services)
  const lease = await state.acquireLease(pipeline.name, run.id, now(), now() + LEASE_MS)
  await refuseEndedRun(pipeline, run.id, services)
  const { schema, notes } = await checkContract(pipeline)
  const target = pipeline.load.target.database
  await migrateTarget(target)
  await raiseFence(target, pipeline.name, lease.epoch, run.id)
  const landed = await landedPlan(pipeline, mode, lease, services)
  if (landed !== null) {
    await prepareTarget(pipeline, landed.plan, lease.epoch)
    return recordPlanned(pipeline, run.id, landed, lease, services)
  }
  const asked = mode === null ? modeOfEvents(pipeline, input) : await resumedMode(mode, services)
  refuseToLoadTwice(pipeline, asked)
  const drafted = await draftRun(pipeline, asked, { id: run.id, lastRun: lease.lastRun }, services)
  const waiting = await stageOpenKeys(pipeline, asked, run.id, services)
  const { epoch, version, lastRun } = lease
  const made: Plan = {
    ...drafted,
    ...waiting,
    notes: [...drafted.notes, ...notes, ...waiting.notes],
    schema,
    pipeline: pipeline.name,
    runId: run.id,
    epoch,
    version,
    lastRun,
    startedAt,
    doneBy: null,
  }
  await prepareTarget(pipeline, made, lease.epoch)
  const staged = await stagePlan(services, made)
  const partitions = made.partitions.map((_, partition) => partition)
  return recordPlanned(pipeline, run.id, { plan: made, staged, partitions }, lease, services)
}

/** Records the step as running, with what is to be said of it. */
async function recordPlanned(
  pipeline: Pipeline,
  runId: string,
  { plan: made, staged, partitions }: PlannedWork,
  lease: Pick<Lease, 'epoch' | 'lastRun'>,
  services: Services,
): Promise<PlanOutput> {
  for (const note of made.notes) services.log.warn(note, { pipeline: pipeline.name, window: made.window })
  services.progress({ pipeline: pipeline.name, partition: null, phase: 'plan', rows: made.rows })
  await services.state.putStep({
    ...emptyStep(runId, pipeline.name),
    startTime: made.startedAt,
    lastRunBefore: lease.lastRun,
    lastRunAfter: lease.lastRun,
    notes: made.notes.length === 0 ? null : made.notes,
  })
  await refuseEndedRun(pipeline, runId, services)
  return {
    plan: staged,
    epoch: lease.epoch,
    count: partitions.length,
    ...(await itemsOf(pipeline, runId, partitions, services)),
    concurrency: pipeline.concurrency,
    planned_by: made.runId,
  }
}

/** The items of the Map: in the payload, or staged where they are too many for it. */
async function itemsOf(
  pipeline: Pipeline,
  runId: string,
  numbers: readonly number[],
  { staging, signal }: Services,
): Promise<Pick<PlanOutput, 'partitions' | 'distributed' | 'items'>> {
  const partitions = numbers.map((partition) => ({ partition }))
  if (partitions.length <= MOST_INLINE_PARTITIONS) return { partitions, distributed: false, items: null }
  const { key } = await writeJsonArray(staging, itemsPrefix(runId, pipeline.name), partitions, { signal })
  const [, bucket = '', inBucket = key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(staging.locate(key)) ?? []
  return { partitions: [], distributed: true, items: { bucket, key: inBucket } }
}

/** The plan of a step that an earlier run has done: it takes no lease, and its Commit only says so. */
async function planAlreadyDone(
  pipeline: Pipeline,
  runId: string,
  { doneBy, startedAt }: { readonly doneBy: string; readonly startedAt: number },
  services: Services,
): Promise<PlanOutput> {
  const known = await services.state.pipeline(pipeline.name)
  const made: Plan = {
    pipeline: pipeline.name,
    runId,
    epoch: Math.max(1, known?.epoch ?? 1),
    version: known?.version ?? 0,
    lastRun: known?.lastRun ?? null,
    startedAt,
    doneBy,
    window: null,
    rows: 0,
    partitions: [],
    advances: false,
    notes: [`run ${doneBy} has done this step already, so nothing was done`],
  }
  const staged = await stagePlan(services, made)
  return recordPlanned(pipeline, runId, { plan: made, staged, partitions: [] }, made, services)
}

/**
 * A Plan delivered after its run has ended takes a lease that nobody would give back. Finish ends the run first and
 * gives leases back then, so one of the two sees the other.
 */
async function refuseEndedRun(pipeline: Pipeline, runId: string, { state }: Services): Promise<void> {
  const detail = await state.run(runId)
  const status = detail?.run.status
  if (status === undefined || status === 'running') return
  const reason = `run ${runId} has ended (${status}) and this Plan came late, so nothing was planned`
  const step = detail?.steps.find((one) => one.step === pipeline.name)
  if (step?.status === 'running') await state.putStep({ ...step, status: 'failed', error: reason })
  await state.releaseLease(pipeline.name, runId)
  throw new TerminalError(`${pipeline.name}: ${reason}; start another run if there is something to load`)
}
