import { readJson, writeJson } from '#dray/staging/documents.ts'
import type { StagedObject } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import type { PlannedSchema } from './contract.ts'
import type { Draft } from './draft.ts'

/** What a run of a pipeline will read; staged, so that every step and a resumed run work from the same. */
export interface Plan extends Draft {
  readonly pipeline: string
  /** The run that made the plan. Its id is the key of the ledger's entries, of whichever run lands a partition. */
  readonly runId: string
  readonly epoch: number
  /** Of the pipeline's state when the plan was made: a plan is of no use once another run has committed. */
  readonly version: number
  readonly lastRun: string | null
  /** The live columns that the run counts on. */
  readonly schema?: PlannedSchema
  readonly startedAt: number
  /** The run that has done the step already; null usually. */
  readonly doneBy: string | null
}

/** A plan with the numbers of the partitions that are to be done. */
export interface PlannedWork {
  readonly plan: Plan
  readonly staged: StagedObject
  readonly partitions: readonly number[]
}

export function stagingPrefix(runId: string, pipeline: string): string {
  return `runs/${runId}/${pipeline}`
}

/** Where the items of a Distributed Map are, which the state machine reads itself. */
export function itemsPrefix(runId: string, pipeline: string): string {
  return `${stagingPrefix(runId, pipeline)}/items`
}

export function stagePlan({ staging, signal }: Services, plan: Plan): Promise<StagedObject> {
  return writeJson(staging, `${stagingPrefix(plan.runId, plan.pipeline)}/plan`, plan, { signal })
}

export function readPlan(services: Services, plan: StagedObject): Promise<Plan> {
  return readJson<Plan>(services.staging, plan, { signal: services.signal })
}
