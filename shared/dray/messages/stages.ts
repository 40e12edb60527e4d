import type { StagedObject } from '#dray/staging/staging-store.ts'
import type { RowCounts } from '#dray/state/state-store.ts'
import type { RunMode } from './run-mode.ts'

/** Which run a task belongs to; in the payload of every task. Built by the state machine's first state. */
export interface RunReference {
  /** The execution's name: `$states.context.Execution.Name`. */
  readonly id: string
  readonly workflow: string
  /** ISO 8601: `$states.context.Execution.StartTime`. */
  readonly started_at: string
  /** `schedule`, `manual`, `event:<name>`, from the execution's input; `manual` when it says nothing. */
  readonly trigger: string
}

/** Plan: `functions/dray/plan.ts` */
export interface PlanInput {
  readonly run: RunReference
  readonly pipeline: string
  /** From the input of the execution; null for a usual run. */
  readonly mode?: RunMode | null | undefined
  /** The steps that the run was asked for, from the input of the execution; null for all of them. */
  readonly only?: readonly string[] | null | undefined
  /** What events say has changed, by `<source>/<entity>`; from the input of the execution. */
  readonly entities?: Readonly<Record<string, ChangedEntity>> | null | undefined
}

/** These keys have changed, and whatever has in the window. */
export interface ChangedEntity {
  readonly keys: readonly string[] | 'all'
  readonly window: { readonly from: string; readonly to: string } | null
}

/** References only: a Step Functions payload is capped at 256 KiB. */
export interface PlanOutput {
  readonly plan: StagedObject
  readonly epoch: number
  /** How many partitions are to be done. */
  readonly count: number
  /** One item for each partition; none when they are distributed. */
  readonly partitions: readonly { readonly partition: number }[]
  /** Whether there are more than 500: a Distributed Map takes the items from staging then. */
  readonly distributed: boolean
  /** Where the items are when they are distributed. The bucket is empty outside S3. */
  readonly items: { readonly bucket: string; readonly key: string } | null
  /** How many partitions may run at once. */
  readonly concurrency: number
  /** The run that made the plan: this one, or the one that it resumes. Its id is the key in the ledger and in the quarantine. */
  readonly planned_by: string
}

/** Extract: `functions/<pipeline>/extract.ts`; the Map's item plus what the Map adds. */
export interface ExtractInput {
  readonly run: RunReference
  readonly pipeline: string
  readonly plan: StagedObject
  readonly epoch: number
  readonly partition: number
  /** This run where it is not said. */
  readonly planned_by?: string | undefined
}

/** Extract's output is Transform's input. */
export interface TransformInput extends ExtractInput {
  readonly extracted: StagedObject
}

/** Transform's output is Load's input. */
export interface LoadInput extends TransformInput {
  readonly transformed: StagedObject
  readonly filtered: number
  /** Rows kept whole with the reason; null when there are none. */
  readonly quarantined: StagedObject | null
  /** Findings on rows that go on; null when there are none. */
  readonly findings: StagedObject | null
}

/** What the Map keeps of a partition. */
export interface LoadOutput {
  readonly partition: number
}

/** Commit: `functions/dray/commit.ts` */
export interface CommitInput {
  readonly run: RunReference
  readonly pipeline: string
  readonly plan: StagedObject
  readonly epoch: number
  /** This run where it is not said. */
  readonly planned_by?: string | undefined
}

/** What is known of a step in the state machine's data, under `steps.<name>`. */
export interface StepOutcome {
  readonly status: 'success' | 'failed' | 'skipped' | 'refused'
  /** A sentence: the error's name and message, or which dependency did not succeed. */
  readonly reason: string | null
}

/** Commit's output; the details are in the state store. */
export interface CommitOutput extends RowCounts {
  readonly last_run_before: string | null
  readonly last_run_after: string | null
}

/** A task's handler: `functions/<task>/run.ts` */
export interface TaskInput {
  readonly run: RunReference
  readonly task: string
  /** From the input of the execution; null for a usual run. */
  readonly mode?: RunMode | null | undefined
  /** As in the input of Plan. */
  readonly only?: readonly string[] | null | undefined
}

/** The run under whose id a partition is entered in the ledger and its rows are quarantined. */
export function planningRun(input: { readonly run: RunReference; readonly planned_by?: string | undefined }): string {
  return input.planned_by ?? input.run.id
}

/** Finish: `functions/dray/finish.ts`, the last state, whatever happened. */
export interface FinishInput {
  readonly run: RunReference
  /** As in the input of Plan. */
  readonly only?: readonly string[] | null | undefined
  /** Of the steps that the run was asked for. */
  readonly steps: Readonly<Record<string, StepOutcome>>
}

export interface FinishOutput {
  readonly status: 'success' | 'failed'
  readonly failed: readonly string[]
  readonly skipped: readonly string[]
  readonly refused: readonly string[]
}
