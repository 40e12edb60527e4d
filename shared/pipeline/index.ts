export { type Assumptions, assumptions, type Estimate, estimate, type Workload } from './capacity.ts'
export { commit } from './commit.ts'
export type { DeletesOption } from './deletes-option.ts'
export { type Draft, draft } from './draft.ts'
export type { Duration } from './duration.ts'
export type * from './events.ts'
export { planningRun } from './events.ts'
export { extract } from './extract.ts'
export {
  type ChangedSinceOptions,
  changedSince,
  type Extraction,
  type FullLoadOptions,
  fullLoad,
  type NullCursors,
  xid,
} from './extraction.ts'
export { finish } from './finish.ts'
export { load } from './load.ts'
export {
  append,
  type HistoryOptions,
  history,
  type Loading,
  type ReplaceOptions,
  replace,
  type UpsertOptions,
  upsert,
} from './loading.ts'
export {
  type Contract,
  type Pipeline,
  type PipelineOptions,
  pipeline,
  type RowContext,
  type Transform,
} from './pipeline.ts'
export { plan } from './plan.ts'
export { findingsPrefix, type QuarantinedRow, quarantinePrefix } from './quarantine.ts'
export { appendToLog, type QuarantineRecord, quarantineLogPrefix } from './quarantine-log.ts'
export { type KeptRow, quarantinedPipelines, quarantinedRows } from './quarantine-rows.ts'
export { type ReconcileOptions, type Reconciliation, type RowDifference, reconcile } from './reconcile.ts'
export { type Reloaded, reloadKeys } from './reload.ts'
export {
  type BackfillMode,
  checkedMode,
  type KeysMode,
  loadKeys,
  modeOf,
  type ReplayMode,
  type ResumeMode,
  type RunMode,
  resumedRuns,
  type SourceKey,
  succeededIn,
} from './run-mode.ts'
export { runTask } from './run-task.ts'
export type { Progress, Services } from './services.ts'
export { take } from './take.ts'
export { type Task, type TaskContext, type TaskResult, task } from './task.ts'
export { transform } from './transform.ts'
