import type { StagedObject } from '#shared/staging/staging-store.ts'
import type { RowCounts } from '#shared/state/state-store.ts'

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

/** Plan: `functions/control/plan.ts` */
export interface PlanInput {
  readonly run: RunReference
  readonly pipeline: string
}

/** References only: a Step Functions payload is capped at 256 KiB. */
export interface PlanOutput {
  readonly plan: StagedObject
  readonly epoch: number
  /** One item for each partition, at most 500. */
  readonly partitions: readonly { readonly partition: number }[]
  /** How many partitions may run at once. */
  readonly concurrency: number
}

/** Extract: `functions/<pipeline>/extract.ts`; the Map's item plus what the Map adds. */
export interface ExtractInput {
  readonly run: RunReference
  readonly pipeline: string
  readonly plan: StagedObject
  readonly epoch: number
  readonly partition: number
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

/** Commit: `functions/control/commit.ts` */
export interface CommitInput extends PlanInput {
  readonly plan: StagedObject
  readonly epoch: number
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
}

/** Finish: `functions/control/finish.ts`, the last state, whatever happened. */
export interface FinishInput {
  readonly run: RunReference
  readonly steps: Readonly<Record<string, StepOutcome>>
}

export interface FinishOutput {
  readonly status: 'success' | 'failed'
  readonly failed: readonly string[]
  readonly skipped: readonly string[]
  readonly refused: readonly string[]
}
