import { DataQualityError, TerminalError } from '#dray/errors.ts'

/** No row of that key. */
export class RecordNotFoundError extends TerminalError {
  readonly code = 'RecordNotFound'
}

/** A record's rules are broken, or the database refused its values. */
export class RecordInvalidError extends DataQualityError {}

/** The row was changed or deleted by another since it was read. */
export class StaleRecordError extends TerminalError {
  readonly code = 'StaleRecord'
}
