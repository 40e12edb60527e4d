export { commit } from './commit.ts'
export type { Duration } from './duration.ts'
export type * from './events.ts'
export { extract } from './extract.ts'
export { finish } from './finish.ts'
export { load } from './load.ts'
export {
  type ChangedSinceOptions,
  changedSince,
  type Extraction,
  type FullLoadOptions,
  fullLoad,
  type Loading,
  type Pipeline,
  type PipelineOptions,
  pipeline,
  type RowContext,
  type Transform,
  type UpsertOptions,
  upsert,
} from './pipeline.ts'
export { plan } from './plan.ts'
export { findingsPrefix, type QuarantinedRow, quarantinePrefix } from './quarantine.ts'
export { runTask } from './run-task.ts'
export type { Progress, Services } from './services.ts'
export { type Task, type TaskContext, type TaskResult, task } from './task.ts'
export { transform } from './transform.ts'
