import { TerminalError } from '#dray/errors.ts'
import type { RunMode } from '#dray/messages/run-mode.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { chainOf, resumedMode } from '#dray/pipeline/plan/resumed-runs.ts'
import { type Plan, type PlannedWork, readPlan } from '#dray/pipeline/plan/staged-plan.ts'
import type { Lease } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { ledgerOf } from './ledger.ts'

/**
 * The plan of the run that is resumed, with the partitions that have not landed; null when nothing of it has landed, or
 * when what a replace had gathered may be gone, so that a new plan serves as well. Any run of an append resumes what
 * was left unfinished. Called behind the fence: nothing of that run can land any more. Throws `Terminal` when the plan
 * is gone or overtaken.
 */
export async function landedPlan(
  pipeline: Pipeline,
  mode: RunMode | null,
  lease: Lease,
  services: Services,
): Promise<PlannedWork | null> {
  const resumed = (await chainOf(mode, services)).map(({ run }) => run.id)
  const asked = await resumedMode(mode, services)
  const unfinished = asked === null ? await unfinishedAppend(pipeline, lease, services) : null
  for (const runId of unfinished === null ? resumed : [...resumed, unfinished]) {
    const landed = await landedOf(pipeline, runId)
    if (landed === null) continue
    // A run in between may have emptied the table in which a replace gathers its rows.
    if (pipeline.load.kind === 'replace' && lease.epoch > landed.epoch + 1) continue
    const plan = await stillStaged(pipeline, runId, landed.staged, lease, services)
    if (plan.advances && !isOfNow(plan, lease)) await refuseOvertaken(pipeline, runId, lease, services)
    const partitions = plan.partitions.flatMap((_, number) => (landed.numbers.has(number) ? [] : [number]))
    const note = `resumed run ${runId}: ${landed.numbers.size} of ${plan.partitions.length} partitions had landed`
    return { plan: { ...plan, notes: [...plan.notes, note] }, staged: landed.staged, partitions }
  }
  return null
}

/**
 * An append writes a row as often as it is read: a usual run that landed partitions and did not commit is resumed,
 * whatever run comes next. Null when there is none, and when its plan is no longer staged.
 */
async function unfinishedAppend(pipeline: Pipeline, lease: Lease, services: Services): Promise<string | null> {
  if (pipeline.load.kind !== 'append') return null
  const last = await lastUsual(pipeline, services)
  return last !== null && isOfNow(last.plan, lease) ? last.runId : null
}

/** The run that landed rows last, with its plan; null where it was one of some rows, or its plan is gone. */
async function lastUsual(
  pipeline: Pipeline,
  services: Services,
): Promise<{ readonly runId: string; readonly plan: Plan } | null> {
  const { Entry } = ledgerOf(pipeline.load.target.database)
  const [last] = await Entry.where({ pipeline: pipeline.name }).order({ epoch: 'desc' }).limit(1).toArray()
  if (last === undefined || last.plan === null) return null
  try {
    const plan = await readPlan(services, JSON.parse(last.plan) as StagedObject)
    return plan.advances ? { runId: last.runId, plan } : null
  } catch (error) {
    if ((error as Error).name === 'StagedObjectMissing') return null
    throw error
  }
}

/** Nothing has been committed since; in a state that was lost, and counts from 0 again, last_run is another one. */
function isOfNow(plan: Plan, lease: Lease): boolean {
  return plan.version === lease.version && plan.lastRun === lease.lastRun
}

/**
 * The run of an append that has landed partitions behind this mark of the target, and did not come to its end; null
 * where none has, where its plan is no longer staged, and in a target without a ledger.
 */
export async function partlyLanded(
  pipeline: Pipeline,
  mark: string | null,
  services: Services,
): Promise<string | null> {
  const { database } = pipeline.load.target
  const { table } = ledgerOf(database).Entry.definition
  if ((await database.withConnection((connection) => connection.describe(table))) === null) return null
  const last = await lastUsual(pipeline, services)
  return last !== null && (last.plan.window?.lo ?? null) === mark ? last.runId : null
}

interface Landed {
  readonly numbers: ReadonlySet<number>
  /** Of the last of them to land. */
  readonly epoch: number
  readonly staged: StagedObject
}

async function landedOf(pipeline: Pipeline, runId: string): Promise<Landed | null> {
  const { Entry } = ledgerOf(pipeline.load.target.database)
  const entries = await Entry.where({ pipeline: pipeline.name, runId }).toArray()
  const [first] = entries
  if (first === undefined) return null
  const plans = new Set(entries.map(({ plan }) => plan))
  if (plans.size > 1 || first.plan === null) {
    throw new TerminalError(
      `${pipeline.name}: partitions of run ${runId} have landed by ${plans.size > 1 ? 'more than one plan' : 'a plan that is not known'}, so what is left of it cannot be told and it cannot be resumed; start \`dray run\`, which reads its rows again`,
    )
  }
  return {
    numbers: new Set(entries.map(({ partitionNumber }) => Number(partitionNumber)).filter((number) => number >= 0)),
    epoch: Math.max(...entries.map(({ epoch }) => Number(epoch))),
    staged: JSON.parse(first.plan) as StagedObject,
  }
}

async function stillStaged(
  pipeline: Pipeline,
  runId: string,
  staged: StagedObject,
  lease: Lease,
  services: Services,
): Promise<Plan> {
  try {
    return await readPlan(services, staged)
  } catch (error) {
    if ((error as Error).name !== 'StagedObjectMissing') throw error
    await services.state.releaseLease(pipeline.name, lease.owner)
    throw new TerminalError(
      `${pipeline.name}: the plan of run ${runId} is no longer staged (staging expires), so it cannot be resumed; start \`dray run\`, which reads its rows again: last_run has not moved past them`,
      { cause: error },
    )
  }
}

async function refuseOvertaken(pipeline: Pipeline, runId: string, lease: Lease, { state }: Services): Promise<never> {
  const committed = (await state.pipeline(pipeline.name))?.commitOwner ?? null
  await state.releaseLease(pipeline.name, lease.owner)
  throw new TerminalError(
    `${pipeline.name}: run ${runId} cannot be resumed, since last_run has been ${committed === null ? 'set' : `committed by ${committed} or set`} after it was planned; nothing was done, and a usual run reads what there is to read: \`dray run\``,
  )
}
