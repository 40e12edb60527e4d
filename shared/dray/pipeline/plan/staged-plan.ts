import { TerminalError } from '#dray/errors.ts'
import { checkFormat, formats } from '#dray/messages/formats.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { type FollowedColumn, withColumns } from '#dray/pipeline/rows/followed-columns.ts'
import { type ReplicatedTable, tablePipeline } from '#dray/pipeline/rows/replicated-table.ts'
import { readJson, writeJson } from '#dray/staging/documents.ts'
import { planPrefix } from '#dray/staging/keys.ts'
import type { KnownSource, StepRecord } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import type { PlannedSchema } from './contract.ts'
import type { Draft } from './draft.ts'

/** What a run of a pipeline will read; staged, so that every step and a resumed run work from the same. */
export interface Plan extends Draft {
  /**
   * Commit tries again what Loads were refused, and quarantines the rest; Loads of an earlier plan do so themselves.
   */
  readonly triesAgain?: true
  readonly pipeline: string
  /** The run that made the plan. Its id is the key of the ledger's entries, of whichever run lands a partition. */
  readonly runId: string
  readonly epoch: number
  /** Of the pipeline's state when the plan was made: a plan is of no use once another run has committed. */
  readonly version: number
  readonly lastRun: string | null
  /** What it reads, which is kept beside `last_run`. */
  readonly source?: KnownSource | null
  /** The live columns that the run counts on. */
  readonly schema?: PlannedSchema
  /** What it takes over beside what the models know. */
  readonly columns?: readonly FollowedColumn[]
  /** Of a table of a replica: all that its pipeline is made of. */
  readonly table?: ReplicatedTable
  /** Its rows go into the target as they were read. */
  readonly bytesPass?: true
  readonly startedAt: number
  /** What the Plan that made it has taken itself, and what it expected the run to cost; for the step's record. */
  readonly cost?: Pick<StepRecord, 'spent' | 'plannedCost'>
  /** The run that has done the step already; null usually. */
  readonly doneBy: string | null
}

/** A plan with the numbers of the partitions that are to be done. */
export interface PlannedWork {
  readonly plan: Plan
  readonly staged: StagedObject
  readonly partitions: readonly number[]
}

export function stagePlan({ staging, signal }: Services, plan: Plan): Promise<StagedObject> {
  return writeJson(staging, planPrefix(plan.runId, plan.pipeline), { format: formats.plan, ...plan }, { signal })
}

/** Throws `Terminal` for a plan that a newer version of Dray has made. */
export async function readPlan(services: Services, staged: StagedObject): Promise<Plan> {
  const { format, ...plan } = await readJson<Plan & { readonly format?: unknown }>(services.staging, staged, {
    signal: services.signal,
  })
  checkFormat('plan', format, `The plan ${services.staging.locate(staged.key)}`)
  return plan
}

/** What a folder under `functions/` holds: a pipeline, or those of all tables of a replica. */
export type Unit = Pipeline | Replica

/** The pipeline that a plan is of, with the columns that its run takes over. */
export function pipelineOf(unit: Unit, planned: Pick<Plan, 'pipeline' | 'columns' | 'table'>): Pipeline {
  return withColumns(unit.kind === 'pipeline' ? unit : ofTable(unit, planned), planned.columns)
}

function ofTable(replica: Replica, { pipeline, table }: Pick<Plan, 'pipeline' | 'table'>): Pipeline {
  if (table !== undefined) return tablePipeline(replica, table)
  throw new TerminalError(
    `${pipeline}: the plan says nothing of the table, as none of a replica does, so nothing was done; start another run`,
  )
}

/** The same, where the plan need not be read for it. */
export async function plannedPipeline(unit: Unit, staged: StagedObject, services: Services): Promise<Pipeline> {
  if (unit.kind === 'pipeline' && !unit.columns.areFollowed) return unit
  return pipelineOf(unit, await readPlan(services, staged))
}
