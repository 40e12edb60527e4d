/**
 * What models, pipelines and tasks are written with. Workflows come from `dray/workflow`, handlers from `dray/lambda`,
 * cleaning from `dray/cleaning`.
 */

export type { BulkOptions, BulkResult, RejectedInput } from './active-record/bulk.ts'
export { closeDatabases, database, knownDatabases } from './active-record/database.ts'
export {
  bigint,
  binary,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  text,
  timestamp,
  uuid,
  varchar,
} from './active-record/field-kinds.ts'
export type { Attributes, Fields, KeyOf, Row, Rule } from './active-record/fields.ts'
export type { FieldsOf, ModelClass, ReadingStatics, SourceClass, WritingStatics } from './active-record/model.ts'
export type { ActiveRecord, SourceRecord } from './active-record/record.ts'
export { RecordInvalidError, RecordNotFoundError, StaleRecordError } from './active-record/record-errors.ts'
export type { Batch, BatchCursor, ConditionsOf, OrderOf, Relation } from './active-record/relation.ts'
export type { SchemaDifference } from './active-record/schema.ts'
export type { LandedRows } from './active-record/table-definition.ts'
export { email, matches, oneOf, type ValidationError } from './active-record/validations.ts'
export {
  type DateText,
  type Decimal,
  dateOf,
  dateOfTimestamp,
  decimalOf,
  type JsonText,
  type Timestamp,
  timestampOf,
} from './active-record/values.ts'
export type { CopyBlock, Text } from './block/block.ts'
export type { Dialect } from './database/adapter.ts'
export type { Database } from './database/database.ts'
export { urlVariable } from './database/database-url.ts'
export { withDeadline } from './database/deadline.ts'
export { ConfigurationError, DataQualityError, TerminalError, TransientError } from './errors.ts'
export {
  accepted,
  between,
  type Check,
  type CheckOptions,
  freshness,
  noRows,
  notNull,
  type RowCheckOptions,
  references,
  rowCount,
  unique,
} from './pipeline/declare/checks.ts'
export { copyFields } from './pipeline/declare/copy-fields.ts'
export type { DeletesOption } from './pipeline/declare/deletes-option.ts'
export type { Duration } from './pipeline/declare/duration.ts'
export {
  type ChangedSinceOptions,
  type CounterCursor,
  changedSince,
  counter,
  type Extraction,
  type FullLoadOptions,
  fullLoad,
  type NullCursors,
  xid,
} from './pipeline/declare/extraction.ts'
export { landed } from './pipeline/declare/landed-rows.ts'
export {
  append,
  type HistoryOptions,
  history,
  type Loading,
  type ReplaceOptions,
  replace,
  type UpsertOptions,
  upsert,
} from './pipeline/declare/loading.ts'
export {
  type Contract,
  type Pipeline,
  type PipelineOptions,
  pipeline,
  type RowContext,
  type Transform,
} from './pipeline/declare/pipeline.ts'
export {
  type Mask,
  type Replica,
  type ReplicaDeletes,
  type ReplicaOptions,
  type ReplicatedTable,
  replicate,
  type TableOverride,
} from './pipeline/declare/replica.ts'
export { type SqlExpression, sql } from './pipeline/declare/sql-expression.ts'
export { sqlFile } from './pipeline/declare/sql-file.ts'
export type { SqlTaskOptions } from './pipeline/declare/sql-task.ts'
export {
  checked,
  type TableChecks,
  type Task,
  type TaskContext,
  type TaskResult,
  type TaskWork,
  task,
} from './pipeline/declare/task.ts'
