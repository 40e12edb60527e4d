import type { AnySource, AnyTarget } from 'dray/internal/pipeline/declare/any-model.ts'
import { type ReconcileStepOptions, reconcile } from 'dray/internal/workflow/reconcile.ts'
import type { WorkflowStep, WorkflowUnit } from 'dray/internal/workflow/workflow.ts'

export function pipelineNamed(name: string): WorkflowUnit {
  return { kind: 'pipeline', name }
}

export function taskNamed(name: string): WorkflowUnit {
  return { kind: 'task', name }
}

/** The comparison of a pipeline's tables, which have a key each. */
export function comparisonNamed(name: string, options: ReconcileStepOptions = {}): WorkflowStep {
  const source = { definition: { primaryKey: [{ name: 'id' }] } } as unknown as AnySource & AnyTarget
  return reconcile({ kind: 'pipeline', name, extract: { source }, load: { kind: 'upsert', by: ['id'] } }, options)
}
