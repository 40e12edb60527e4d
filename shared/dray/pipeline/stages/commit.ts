import { withDeadline } from '#dray/database/deadline.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import { accountedFor, NO_ROWS, rowCountsBy } from '#dray/messages/row-counts.ts'
import { rowTerms } from '#dray/messages/row-terms.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import { type CommitInput, type CommitOutput, planningRun } from '#dray/messages/stages.ts'
import type { Answers } from '#dray/pipeline/checks/ask-checks.ts'
import { checkPipeline, refuseFailed } from '#dray/pipeline/checks/check-pipeline.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { closeTarget } from '#dray/pipeline/landing/close-target.ts'
import { checkFence, type LandedRun, sumOfLedger } from '#dray/pipeline/landing/ledger.ts'
import { markLanded } from '#dray/pipeline/landing/mark.ts'
import { type Plan, pipelineOf, readPlan, type Unit } from '#dray/pipeline/plan/staged-plan.ts'
import { closeLanded } from '#dray/pipeline/quarantine/close-landed.ts'
import { enterReplayed } from '#dray/pipeline/quarantine/replay.ts'
import { quarantinePrefix } from '#dray/staging/keys.ts'
import { emptyStep, type StepRecord } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'

/** Rows that are borne in the quarantine whatever their share: a day with few changes must not fail for one of them. */
const BORNE = 10
const QUARANTINE_THRESHOLD = 'quarantine_threshold'

/**
 * Closes a run of a pipeline: every partition in the ledger, the row equation, the quarantine's threshold, and only
 * then `last_run`. Throws `Terminal` when rows are not accounted for, `DataQuality` when too many are quarantined;
 * nothing advances then.
 */
export function commit(unit: Unit, input: CommitInput, services: Services): Promise<CommitOutput> {
  return withDeadline(services.signal, () => closeRun(unit, input, services))
}

async function closeRun(unit: Unit, input: CommitInput, services: Services): Promise<CommitOutput> {
  const planned = await readPlan(services, input.plan)
  if (planned.doneBy !== null) return commitNothing(input, planned, services)
  const pipeline = pipelineOf(unit, planned)
  const { database } = pipeline.load.target
  await database.transaction(() => checkFence(database, pipeline.name, input.epoch))
  const landed = await sumOfLedger(database, pipeline.name, planningRun(input))
  checkEquation(pipeline, planned, landed)
  const { closed, answers } = await closeChecked(pipeline, input, { planned, landed }, services)
  const { deleted: gone, notes, landed: sums } = closed
  checkEquation(pipeline, planned, sums)
  const step = { ...(await stepRecord(pipeline, input, planned, sums, services)), ...checksOf(answers) }
  if (planned.replayed !== undefined) await enterReplayed(pipeline, planned.replayed, services)
  await closeLanded(pipeline, input, planned, services)
  await markLanded(pipeline, input, planned)
  const version = planned.advances ? planned.version : ((await services.state.pipeline(pipeline.name))?.version ?? 0)
  const lease = { pipeline: pipeline.name, owner: input.run.id, epoch: input.epoch, version }
  await services.state.commit(lease, step.lastRunAfter, planned.source, planned.follows, answers.counted)
  const spent = sumOfSpent([step.spent, services.spent?.()])
  await services.state.putStep({
    ...step,
    deleted: step.deleted + gone,
    gone,
    notes: withNotes(step.notes, [...notes, ...twins(pipeline, planned, sums)]),
    ...spent,
  })
  return {
    ...rowCountsBy((name) => sums[name]),
    last_run_before: step.lastRunBefore,
    last_run_after: step.lastRunAfter,
  }
}

/** Rows that are two things, though the model tells them apart by one key, would be missed by nobody. */
function twins({ extract }: Pipeline, { schema }: Plan, { duplicate }: LandedRun): string[] {
  if (!schema?.isKeyDeclaredAlone || duplicate === 0) return []
  const { database, table, primaryKey } = extract.source.definition
  return [
    `${duplicate} rows of ${database}.${table} have the key of another row, and of each key the newest row is in the target, or the last that was read; no index of the source makes ${primaryKey.map(({ column }) => column).join(', ')} unique: where these rows are different things, make the key whole by primaryKey() of more fields`,
  ]
}

function withNotes(said: readonly string[] | null, more: readonly string[]): readonly string[] | null {
  const all = [...new Set([...(said ?? []), ...more])]
  return all.length === 0 ? null : all
}

/**
 * Closes the target, unless too many rows are quarantined or gone, others refer to them, or a check does not hold: the
 * step's counts stay.
 */
async function closeChecked(
  pipeline: Pipeline,
  input: CommitInput,
  run: { readonly planned: Plan; readonly landed: LandedRun },
  services: Services,
) {
  const { planned } = run
  let known = run.landed
  let answers: Answers = { results: [], counted: null }
  const check = (sums: LandedRun) => {
    known = sums
    // Rows from the quarantine may go back there, all of them.
    if (planned.replayed === undefined || planned.advances) checkThreshold(pipeline, freshOf(sums, planned))
  }
  const examine = async (landed: LandedRun) => {
    known = landed
    answers = await checkPipeline(pipeline, { planned, landed }, services)
    refuseFailed(pipeline.name, answers.results, consequenceOf(pipeline, input, planned))
  }
  try {
    return { closed: await closeTarget(pipeline, input, run, { check, examine }, services), answers }
  } catch (error) {
    if (error instanceof DataQualityError) {
      const step = await stepRecord(pipeline, input, planned, known, services)
      await services.state.putStep({
        ...step,
        ...checksOf(answers),
        ...sumOfSpent([step.spent, services.spent?.()]),
        status: 'failed',
        lastRunAfter: step.lastRunBefore,
        error: `${error.name}: ${error.message}`,
      })
    }
    throw error
  }
}

function checksOf({ results }: Answers): Pick<StepRecord, 'checks'> {
  return results.length === 0 ? {} : { checks: results }
}

/** What has become of the rows, and what to do. */
function consequenceOf({ load }: Pipeline, { run }: CommitInput, { advances }: Plan): string {
  const table = `${load.target.definition.database}.${load.target.definition.table}`
  const isKept = advances && load.kind === 'replace'
  const rows = isKept ? `The old rows of ${table} stay` : `The rows of this run are in ${table} and stay there`
  const mended = isKept ? 'asks them again of the rows that it has gathered' : 'asks them again without loading'
  return `${rows}, and last_run stays where it is: \`npx dray runs show ${run.id}\` names the first rows. When they are mended, \`npx dray resume ${run.id}\` ${mended}; a new run ${load.kind === 'append' ? 'does so, too' : 'reads its window again'}`
}

function checkEquation(pipeline: Pipeline, planned: Plan, sums: LandedRun): void {
  if (sums.partitions !== planned.partitions.length) {
    throw new TerminalError(
      `${pipeline.name}: ${sums.partitions} of ${planned.partitions.length} partitions have landed, so last_run stays where it is; run the workflow again`,
    )
  }
  const right = accountedFor(sums)
  if (sums.read === right) return
  const terms = rowTerms.map((term) => `${term} ${sums[term]}`).join(' + ')
  throw new TerminalError(
    `${pipeline.name}: the rows do not add up, so last_run stays where it is: read ${sums.read} is not ${terms} = ${right}; run the workflow again, and report it when it stays`,
  )
}

/** What the run has read for the first time: rows that it has tried again, and that went back, stop it no more. */
function freshOf({ read, quarantined, ofPartitions }: LandedRun, { retriedFrom }: Plan): Fresh {
  const again = retriedFrom === undefined ? [] : ofPartitions.filter(({ partition }) => partition >= retriedFrom)
  const sum = (pick: (one: (typeof again)[number]) => number) => again.reduce((total, one) => total + pick(one), 0)
  return { read: read - sum((one) => one.read), quarantined: Math.max(0, quarantined - sum((one) => one.quarantined)) }
}

type Fresh = Pick<LandedRun, 'read' | 'quarantined'>

function checkThreshold(pipeline: Pipeline, sums: Fresh): void {
  const { rows, share } = pipeline.quarantine
  const most = Math.min(rows, Math.max(BORNE, Math.floor(sums.read * share)))
  if (sums.quarantined <= most) return
  throw new DataQualityError(
    '',
    QUARANTINE_THRESHOLD,
    `${pipeline.name}: ${sums.quarantined} of ${sums.read} rows were quarantined and at most ${most} may be, so last_run stays where it is; look at their reasons, mend the source or the transform and run again, or raise the pipeline's quarantine: { rows, share }`,
  )
}

/** A step that an earlier run has done: its rows are accounted for there. */
async function commitNothing(
  { run, pipeline }: CommitInput,
  planned: Plan,
  { state, now, spent }: Services,
): Promise<CommitOutput> {
  const { cost } = planned
  await state.putStep({
    ...emptyStep(run.id, pipeline),
    ...timesOf(planned, now()),
    status: 'success',
    lastRunBefore: planned.lastRun,
    lastRunAfter: planned.lastRun,
    notes: planned.notes,
    ...cost,
    ...sumOfSpent([cost?.spent, spent?.()]),
  })
  return { ...NO_ROWS, last_run_before: planned.lastRun, last_run_after: planned.lastRun }
}

function timesOf({ startedAt }: Plan, endTime: number) {
  return { startTime: startedAt, endTime, executionTimeSeconds: (endTime - startedAt) / 1000 }
}

async function stepRecord(
  pipeline: Pipeline,
  input: CommitInput,
  planned: Plan,
  sums: LandedRun,
  { state, now }: Services,
): Promise<StepRecord> {
  // A resumed run has said more of itself than the plan that it reuses, and a plan of before says less.
  const isSaid = planned.runId === input.run.id && planned.cost !== undefined
  const known = isSaid ? null : await state.stepRecord(input.run.id, pipeline.name)
  const cost = known ?? planned.cost
  const {
    partitions: _partitions,
    refused: _refused,
    loadedKeys: _keys,
    told: _told,
    landedRows: _rows,
    isTriedAgain: _again,
    ofPartitions: _each,
    ...counts
  } = sums
  // Another run may have moved it since a run of some rows was planned that is resumed now.
  const lastRun = planned.advances ? planned.lastRun : ((await state.pipeline(pipeline.name))?.lastRun ?? null)
  return {
    runId: input.run.id,
    step: pipeline.name,
    status: 'success',
    ...timesOf({ ...planned, startedAt: known?.startTime ?? planned.startedAt }, now()),
    lastRunBefore: lastRun,
    lastRunAfter: planned.advances ? (planned.window?.hi ?? null) : lastRun,
    gone: 0,
    error: null,
    notes: known?.notes ?? (planned.notes.length === 0 ? null : planned.notes),
    quarantine: sums.quarantined > 0 ? quarantinePrefix(planned.runId, pipeline.name) : null,
    ...sumOfSpent([cost?.spent]),
    ...(cost?.plannedCost === undefined ? {} : { plannedCost: cost.plannedCost }),
    ...(pipeline.owner === null ? {} : { owner: pipeline.owner }),
    ...counts,
  }
}
