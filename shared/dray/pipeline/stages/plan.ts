import { withDeadline } from '#dray/database/deadline.ts'
import { describingOnce } from '#dray/database/described.ts'
import { ConfigurationError, TerminalError } from '#dray/errors.ts'
import type { PlanInput, PlanOutput } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { claimTable } from '#dray/pipeline/landing/claim.ts'
import { prepareTarget } from '#dray/pipeline/landing/close-target.ts'
import { followColumns } from '#dray/pipeline/landing/follow-columns.ts'
import { migrateTarget } from '#dray/pipeline/landing/migrate.ts'
import { raiseOver } from '#dray/pipeline/landing/raise-over.ts'
import { landedPlan } from '#dray/pipeline/landing/resume.ts'
import { estimate, MOST_INLINE_PARTITIONS } from '#dray/pipeline/plan/capacity.ts'
import { checkContract } from '#dray/pipeline/plan/contract.ts'
import type { Draft } from '#dray/pipeline/plan/draft.ts'
import { modeOfEvents } from '#dray/pipeline/plan/event-keys.ts'
import { refuseOntoItself } from '#dray/pipeline/plan/onto-itself.ts'
import { doneBefore, resumedMode } from '#dray/pipeline/plan/resumed-runs.ts'
import { refuseToLoadTwice } from '#dray/pipeline/plan/rows-again.ts'
import { checkSource, type ReadSource } from '#dray/pipeline/plan/source-identity.ts'
import { type Plan, type PlannedWork, pipelineOf, stagePlan, type Unit } from '#dray/pipeline/plan/staged-plan.ts'
import { stageOpenKeys } from '#dray/pipeline/quarantine/open-keys.ts'
import { withRetries } from '#dray/pipeline/quarantine/retries.ts'
import { bytesPass } from '#dray/pipeline/replica/bytes-pass.ts'
import { type PreparedTable, preparedTable } from '#dray/pipeline/replica/prepared-table.ts'
import { withColumns } from '#dray/pipeline/rows/followed-columns.ts'
import { emptyStep, type KnownSource, type Lease, seenNumbers } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { draftRun, whereToStart } from './draft-run.ts'
import { enterRun } from './enter-run.ts'
import { mapItems } from './map-items.ts'
import { refuseEndedRun } from './refuse-ended-run.ts'

/** A lease outlives the longest run that is expected; the fence, not the lease, keeps an overtaken run from writing. */
const LEASE_MS = 6 * 3600 * 1000

/**
 * Takes the lease, raises the fence in the target, fixes the window and cuts it into partitions; of a run that is
 * resumed, takes over its plan. Throws `LeaseHeld` when another run holds the pipeline, `Terminal` when a model does
 * not fit its live table.
 */
export async function plan(unit: Unit, input: PlanInput, services: Services): Promise<PlanOutput> {
  try {
    return await withDeadline(services.signal, () => describingOnce(() => makePlan(unit, input, services)))
  } catch (error) {
    if (error instanceof TerminalError || error instanceof ConfigurationError)
      await recordReason(input, error, services)
    throw error
  }
}

/** A machine cuts the reason, and the remedy stands at its end. */
async function recordReason({ run, pipeline }: PlanInput, error: Error, { state }: Services): Promise<void> {
  const known = await state.stepRecord(run.id, pipeline)
  const last = (await state.pipeline(pipeline))?.lastRun ?? null
  const record = known ?? { ...emptyStep(run.id, pipeline), lastRunBefore: last, lastRunAfter: last }
  if (record.status === 'running') await state.putStep({ ...record, error: `${error.name}: ${error.message}` })
}

async function makePlan(unit: Unit, input: PlanInput, services: Services): Promise<PlanOutput> {
  const { state, now } = services
  const startedAt = now()
  const { run, pipeline: name } = input
  const mode = input.mode ?? null
  await enterRun(input, services)
  const doneBy = await doneBefore(name, input, services)
  if (doneBy !== null) return planAlreadyDone(name, run.id, { doneBy, startedAt }, services)
  const taken = await state.acquireLease(name, run.id, now(), now() + LEASE_MS)
  await refuseEndedRun(name, run.id, services)
  const prepared = unit.kind === 'replica' ? await preparedTable(unit, name, services) : null
  const declared = unit.kind === 'replica' ? (prepared as PreparedTable).pipeline : unit
  if (unit.kind === 'pipeline') await refuseOntoItself(unit)
  const contract = await checkContract(declared)
  const read = await checkSource(declared, taken.lastRun, taken.source)
  await migrateTarget(declared.load.target.database)
  const { lease, fence, note } = await raiseOver(declared.load.target.database, taken, services)
  const mark = await claimTable(declared, fence)
  const landed = await landedPlan(declared, mode, lease, services)
  if (landed !== null) {
    await checkSource(declared, landed.plan.window?.lo ?? null, landed.plan.source ?? null)
    await prepareTarget(pipelineOf(unit, landed.plan), landed.plan, lease.epoch)
    return recordPlanned(declared, run.id, landed, lease, services)
  }
  const following = await followColumns(declared, services.signal)
  const pipeline = withColumns(declared, following.columns)
  const { schema, notes } = pipeline === declared ? contract : await checkContract(pipeline)
  const asked = mode === null ? modeOfEvents(pipeline, input) : await resumedMode(mode, services)
  refuseToLoadTwice(pipeline, asked)
  const { epoch, version, lastRun } = lease
  const start =
    asked === null
      ? await whereToStart(pipeline, lastRun, mark, { otherTable: read.otherTable, services })
      : { from: lastRun, note: null }
  const seen = asked === null && read.otherTable !== null ? null : taken.source
  const usual = await draftRun(pipeline, asked, { id: run.id, lastRun: start.from, seen }, services)
  const { drafted, sent } = await withRetries(pipeline, usual, run.id, services)
  const waiting = await stageOpenKeys(pipeline, asked, { id: run.id, sent }, services)
  const said = [note, read.note, start.note, ...(prepared?.notes ?? []), ...following.notes].filter(
    (one) => one !== null,
  )
  const made: Plan = {
    ...drafted,
    ...waiting,
    triesAgain: true,
    notes: [...said, ...drafted.notes, ...notes, ...waiting.notes],
    schema,
    ...(following.columns.length === 0 ? {} : { columns: following.columns }),
    ...(prepared === null ? {} : { table: prepared.table }),
    ...(prepared !== null && (await bytesPass(pipeline, prepared.table, schema)) ? { bytesPass: true as const } : {}),
    source: read.source === null ? null : keptSource(read.source, taken.source, drafted, seen),
    pipeline: pipeline.name,
    runId: run.id,
    epoch,
    version,
    lastRun,
    startedAt,
    doneBy: null,
  }
  await prepareTarget(pipeline, made, lease.epoch)
  const partitions = made.partitions.map((_, partition) => partition)
  const plan = { ...made, cost: costOf(pipeline, { plan: made, partitions }, services) }
  const staged = await stagePlan(services, plan)
  return recordPlanned(pipeline, run.id, { plan, staged, partitions }, lease, services)
}

/** A run that leaves `last_run` where it is leaves it to the table that it is of. */
function keptSource(
  { table, ...identity }: NonNullable<ReadSource['source']>,
  known: KnownSource | null,
  { advances, seen: drafted }: Pick<Plan, 'advances'> & Pick<Draft, 'seen'>,
  seen: KnownSource | null,
): KnownSource {
  const kept = advances ? table : known?.table
  return { ...seenNumbers(seen), ...identity, ...drafted, ...(kept === undefined ? {} : { table: kept }) }
}

/** As much of a pipeline as a plan is recorded by. */
type Recorded = Pick<Pipeline, 'name' | 'concurrency' | 'owner'> & {
  readonly extract: Pick<Pipeline['extract'], 'partitionRows'>
}

/** Records the step as running, with what is to be said of it. */
async function recordPlanned(
  pipeline: Recorded,
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
    ...(pipeline.owner === null ? {} : { owner: pipeline.owner }),
    ...(made.runId === runId ? made.cost : costOf(pipeline, { plan: made, partitions }, services)),
  })
  await refuseEndedRun(pipeline.name, runId, services)
  const all = partitions.map((partition) => ({ partition }))
  const place = { run: runId, name: pipeline.name }
  const { inline, distributed, items } = await mapItems(all, MOST_INLINE_PARTITIONS, place, services)
  return {
    plan: staged,
    epoch: lease.epoch,
    count: partitions.length,
    partitions: inline,
    distributed,
    items,
    concurrency: pipeline.concurrency,
    planned_by: made.runId,
  }
}

/** What `dray plan` says of the partitions that are left to do, and what this Plan has taken itself. */
function costOf(
  { concurrency, extract: { partitionRows } }: Recorded,
  { plan: made, partitions }: Pick<PlannedWork, 'partitions'> & { readonly plan: Pick<Plan, 'rows' | 'partitions'> },
  { spent }: Services,
): NonNullable<Plan['cost']> {
  if (spent === undefined) return {}
  const share = made.partitions.length === 0 ? 0 : partitions.length / made.partitions.length
  const { runCost } = estimate({ rows: Math.round(made.rows * share), partitionRows, concurrency })
  return { spent: spent(), plannedCost: runCost }
}

/** The plan of a step that an earlier run has done: it takes no lease, and its Commit only says so. */
async function planAlreadyDone(
  pipeline: string,
  runId: string,
  { doneBy, startedAt }: { readonly doneBy: string; readonly startedAt: number },
  services: Services,
): Promise<PlanOutput> {
  const known = await services.state.pipeline(pipeline)
  const recorded = { name: pipeline, owner: null, concurrency: 1, extract: { partitionRows: 1 } }
  const made: Plan = {
    pipeline,
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
    cost: costOf(recorded, { plan: { rows: 0, partitions: [] }, partitions: [] }, services),
  }
  const staged = await stagePlan(services, made)
  return recordPlanned(recorded, runId, { plan: made, staged, partitions: [] }, made, services)
}
