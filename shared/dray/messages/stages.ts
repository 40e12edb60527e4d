import * as z from 'zod'
import { checkCounts } from './check-result.ts'
import { formats } from './formats.ts'
import type { Message } from './message.ts'
import { rowCounts } from './row-counts.ts'
import { changedEntities } from './run-input.ts'
import { runMode } from './run-mode.ts'
import { type RunReference, runReference } from './run-reference.ts'
import { spent } from './spent.ts'
import { stagedObject } from './staged-object.ts'

/* What a stage is given, and what it gives: payloads of a state machine, with references to what is staged. */

/**
 * The format of the payload: what the state machine, or the stage before, was deployed with. 1 where it is not said.
 */
const version = z
  .int()
  .min(1)
  .max(
    formats.message,
    `a newer deployment has written it than this function's, which knows versions up to ${formats.message}: deploy the newer one here, too, then resume the run`,
  )
  .optional()

const mode = runMode.nullish()
const only = z.array(z.string()).nullish()
const partition = z.int().nonnegative()
const pipelineInput = z.object({ version, run: runReference, pipeline: z.string().min(1) })
const plannedInput = pipelineInput.extend({
  plan: stagedObject,
  epoch: z.int().positive(),
  /** This run where it is not said. */
  planned_by: z.string().min(1).optional(),
})

/** Plan: `functions/dray/plan.ts` */
const planInput = pipelineInput.extend({
  /** From the input of the execution; null for a usual run. */
  mode,
  /** The steps that the run was asked for, from the input of the execution; null for all of them. */
  only,
  /** What events say has changed, by `<source>/<entity>`; from the input of the execution. */
  entities: changedEntities.nullish(),
})

/** References only: a Step Functions payload is capped at 256 KiB. */
const planOutput = z.object({
  plan: stagedObject,
  epoch: z.int().positive(),
  /** How many partitions are to be done. */
  count: z.int().nonnegative(),
  /** One item for each partition; none when they are distributed. */
  partitions: z.array(z.object({ partition })),
  /** Whether there are more than 500: a Distributed Map takes the items from staging then. */
  distributed: z.boolean(),
  /** Where the items are when they are distributed. The bucket is empty outside S3. */
  items: z.object({ bucket: z.string(), key: z.string() }).nullable(),
  /** How many partitions may run at once. */
  concurrency: z.int().positive(),
  /**
   * The run that made the plan: this one, or the one that it resumes. Its id is the key in the ledger and in the
   * quarantine.
   */
  planned_by: z.string().min(1),
})

/** Tables: `functions/dray/tables.ts`, which tables a replica has now. */
const tablesInput = pipelineInput.extend({
  mode,
  only,
  /** Only these, by the names of their pipelines; null for all. */
  tables: z.array(z.string()).nullish(),
  /** Those that are separate steps; null for none. */
  except: z.array(z.string()).nullish(),
})

const tablesOutput = z.object({
  /** The names of the tables' pipelines. */
  plan: stagedObject,
  count: z.int().nonnegative(),
  /** The largest first, with what stands behind the run's name in that of its execution; none when distributed. */
  tables: z.array(z.object({ step: z.string(), suffix: z.string() })),
  distributed: z.boolean(),
  items: z.object({ bucket: z.string(), key: z.string() }).nullable(),
  /** How many tables may be worked on at once. */
  concurrency: z.int().positive(),
})

/** Gather: `functions/dray/gather.ts`, what has become of the tables of a replica. */
const gatherInput = pipelineInput.extend({ plan: stagedObject })

/** Extract: `functions/<pipeline>/extract.ts`; the Map's item plus what the Map adds. */
const extractInput = plannedInput.extend({ partition })

/** Extract's output is Transform's input. */
const transformInput = extractInput.extend({
  extracted: stagedObject,
  /** The keys of the rows that are open in the quarantine; not said where nothing is. */
  open: stagedObject.optional(),
  /** Each row has its values, and nothing beside them; not said where one may have. */
  plain: z.literal(true).optional(),
  /** By the calls before this one that have succeeded; not said on a laptop. */
  spent: spent.optional(),
})

/** Transform's output is Load's input. */
const loadInput = transformInput.extend({
  transformed: stagedObject,
  filtered: z.int().nonnegative(),
  /** How many rows have another key in the target than in the source; not known where it is not said. */
  other_keys: z.int().nonnegative().optional(),
  /** The keys in the target of rows that are to be deleted; not said where there are none. */
  told: stagedObject.optional(),
  /** Rows kept whole with the reason; null when there are none. */
  quarantined: stagedObject.nullable(),
  /** Findings on rows that go on; null when there are none. */
  findings: stagedObject.nullable(),
})

/** What the Map keeps of a partition. */
const loadOutput = z.object({ partition })

/** Commit's output; the details are in the state store. */
const commitOutput = rowCounts.extend({
  last_run_before: z.string().nullable(),
  last_run_after: z.string().nullable(),
})

/** A task's handler: `functions/<task>/run.ts` */
const taskInput = z.object({ version, run: runReference, task: z.string().min(1), mode, only })

/** Reconcile: `functions/dray/reconcile.ts`, one call of as many as a comparison takes. */
const reconcileInput = pipelineInput.extend({
  /** The name of the step. */
  step: z.string().min(1),
  mode,
  only,
  deep: z.boolean(),
  /** The step fails when more rows than these differ; null for never. */
  fail_above: z.int().nonnegative().nullable(),
  /** How far the call before has come; null for the first. */
  at: stagedObject.nullable(),
  /** Which of the calls it is, from 1, and how many there may be. */
  call: z.int().positive(),
  calls: z.int().positive(),
})

/** `at` is null when all has been compared. */
const reconcileOutput = z.object({ at: stagedObject.nullable(), call: z.int().positive() })

/** What is known of a step in the state machine's data, under `steps.<name>`. */
const stepOutcome = z.object({
  status: z.enum(['success', 'failed', 'skipped', 'refused']),
  /**
   * A sentence: the error's name and message, or which dependency did not succeed. Of a pipeline the workflow's machine
   * knows the beginning only.
   */
  reason: z.string().nullable(),
})

/**
 * Outcome: `functions/dray/outcome.ts`, how a pipeline ended in a run. Its own machine writes it; the workflow's
 * machine asks for it where the pipeline's has failed.
 */
const outcomeInput = pipelineInput.extend({
  only,
  /** What the pipeline's machine has seen; null where the workflow's machine asks. */
  outcome: stepOutcome.nullable(),
  /** What the workflow's machine has seen: in place of an outcome that nobody wrote. */
  fault: z.string().nullable(),
})

/** Finish: `functions/dray/finish.ts`, the last state, whatever happened. */
const finishInput = z.object({
  version,
  run: runReference,
  only,
  /** Of the steps that the run was asked for. */
  steps: z.record(z.string(), stepOutcome),
})

const finishOutput = z.object({
  status: z.enum(['success', 'failed']),
  failed: z.array(z.string()),
  skipped: z.array(z.string()),
  refused: z.array(z.string()),
  /** What the run has cost by its calls; not said on a laptop. */
  us_dollars: z.number().nonnegative().optional(),
  /** By the steps that have checks; missing where none has. */
  checks: z.record(z.string(), checkCounts).optional(),
  /** By step, what notes say of changed columns and tables of its source; missing where nothing has changed. */
  changes: z.record(z.string(), z.array(z.string())).optional(),
})

/** What each handler of a run checks its payload by. */
export const stageInputs = {
  plan: planInput,
  tables: tablesInput,
  gather: gatherInput,
  extract: extractInput,
  transform: transformInput,
  load: loadInput,
  /** `functions/dray/commit.ts` */
  commit: plannedInput,
  task: taskInput,
  reconcile: reconcileInput,
  outcome: outcomeInput,
  finish: finishInput,
} as const

export type { RunReference }
export type PlanInput = Message<typeof planInput>
export type PlanOutput = Message<typeof planOutput>
export type TablesInput = Message<typeof tablesInput>
export type TablesOutput = Message<typeof tablesOutput>
export type GatherInput = Message<typeof gatherInput>
export type ExtractInput = Message<typeof extractInput>
export type TransformInput = Message<typeof transformInput>
export type LoadInput = Message<typeof loadInput>
export type LoadOutput = Message<typeof loadOutput>
export type CommitInput = Message<typeof plannedInput>
export type CommitOutput = Message<typeof commitOutput>
export type TaskInput = Message<typeof taskInput>
export type ReconcileInput = Message<typeof reconcileInput>
export type ReconcileOutput = Message<typeof reconcileOutput>
export type StepOutcome = Message<typeof stepOutcome>
export type OutcomeInput = Message<typeof outcomeInput>
export type FinishInput = Message<typeof finishInput>
export type FinishOutput = Message<typeof finishOutput>

/** The run under whose id a partition is entered in the ledger and its rows are quarantined. */
export function planningRun(input: Pick<CommitInput, 'run' | 'planned_by'>): string {
  return input.planned_by ?? input.run.id
}
