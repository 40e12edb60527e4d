export type { CopyBlock, Dialect, Text } from './adapter.ts'
export type { BulkOptions, BulkResult, RejectedInput } from './bulk.ts'
export { closeDatabases, type Database, database, knownDatabases, urlVariable, withDeadline } from './database.ts'
export { ConfigurationError, DataQualityError, type ErrorContext, TerminalError, TransientError } from './errors.ts'
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
} from './field-kinds.ts'
export type { Attributes, Fields, KeyOf, Row, Rule } from './fields.ts'
export {
  type FieldsOf,
  type ModelClass,
  type ReadingStatics,
  RecordInvalidError,
  RecordNotFoundError,
  type SourceClass,
  StaleRecordError,
  type WritingStatics,
} from './model.ts'
export type { ActiveRecord, SourceRecord } from './record.ts'
export type { Batch, BatchCursor, ConditionsOf, OrderOf, Relation } from './relation.ts'
export type { SchemaDifference } from './schema.ts'
export { email, matches, oneOf, type ValidationError } from './validations.ts'
export {
  type DateText,
  type Decimal,
  dateOf,
  dateOfTimestamp,
  decimalOf,
  type JsonText,
  type Timestamp,
  timestampOf,
} from './values.ts'
