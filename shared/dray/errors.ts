/** Where something happened; added as it becomes known on the way up. */
export interface ErrorContext {
  readonly pipeline?: string
  readonly step?: string
  readonly partition?: number
  readonly run?: string
}

abstract class DrayError extends Error {
  context: ErrorContext = {}
}

/** A retry may succeed: deadlock, serialization failure, lost connection, deadline. The States Language matches the name. */
export class TransientError extends DrayError {
  override readonly name = 'Transient'
}

/** A retry cannot succeed: a missing table, a refused password, a broken invariant. */
export class TerminalError extends DrayError {
  override readonly name = 'Terminal'
}

/** The row is at fault, not the system: the row goes to quarantine, the others go on. */
export class DataQualityError extends DrayError {
  override readonly name = 'DataQuality'
  readonly field: string
  readonly code: string
  constructor(field: string, code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.field = field
    this.code = code
  }
}

/** The environment is at fault: an unset URL, an unknown workflow, a wrong flag. The command exits with 2. */
export class ConfigurationError extends DrayError {
  override readonly name = 'Configuration'
}
