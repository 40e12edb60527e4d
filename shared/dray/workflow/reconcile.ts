import { ConfigurationError } from '#dray/errors.ts'
import { type ComparedPipeline, checkComparable } from '#dray/pipeline/declare/comparable.ts'
import { run, type WorkflowStep, type WorkflowUnit } from './workflow.ts'

export interface ReconcileStepOptions {
  /** The steps that must have succeeded before. */
  readonly after?: readonly (WorkflowUnit | string)[]
  /** Reads and compares every row, even where the digests that the databases compute are the same. */
  readonly deep?: boolean
  /** The step fails when more rows than these differ; by default it succeeds and tells of them. */
  readonly failAbove?: number
}

/**
 * A step that compares a pipeline's source with its target as `dray reconcile` does, and tells what is missing, extra
 * or different; it is called `reconcile-<pipeline>`. Reads only, and leaves `last_run` alone. Throws `Configuration`
 * where source or target have no key.
 */
export function reconcile(
  pipeline: WorkflowUnit & ComparedPipeline,
  { after = [], deep = false, failAbove }: ReconcileStepOptions = {},
): WorkflowStep {
  const { name, kind } = pipeline
  if (kind !== 'pipeline') {
    throw new ConfigurationError(
      `reconcile() compares the tables of a pipeline, and ${name ?? String(pipeline)} is none, so there is nothing to compare; give it what pipeline(…) has made`,
    )
  }
  checkComparable(pipeline)
  if (failAbove !== undefined && !(Number.isSafeInteger(failAbove) && failAbove >= 0)) {
    throw new ConfigurationError(
      `reconcile(${name}) has failAbove: ${failAbove}, which is no number of rows, so it is not known when the step is to fail; give a whole number, 0 for no difference at all, or leave it out`,
    )
  }
  const reconciled = { pipeline: name, deep, failAbove: failAbove ?? null }
  return run({ kind: 'reconcile', name: `reconcile-${name}`, reconciled }, { after })
}
