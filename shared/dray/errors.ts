/*
 * Every error that says what whoever gets it has to do. The States Language, the command and the metrics match the
 * names, which are literals since minifiers mangle those of classes. Classes that a room adds extend one of these and
 * keep its name.
 */

/**
 * A retry may succeed: deadlock, serialization failure, lost connection, deadline. The States Language matches the
 * name.
 */
export class TransientError extends Error {
  override readonly name = 'Transient'
}

/** A retry cannot succeed: a missing table, a refused password, a broken invariant. */
export class TerminalError extends Error {
  override readonly name = 'Terminal'
}

/** The row is at fault, not the system: the row goes to quarantine, the others go on. */
export class DataQualityError extends Error {
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
export class ConfigurationError extends Error {
  override readonly name = 'Configuration'
}

const MOST_OF_NAME = 200

/** A run's name in a message: in the table anything may stand that something else has written there. */
export function cutName(name: string): string {
  return name.slice(0, MOST_OF_NAME)
}

/** Another run works on the pipeline; what asked for it ends as refused and a follow-up run is noted. */
export class LeaseHeld extends Error {
  override readonly name = 'LeaseHeld'
  readonly pipeline: string
  readonly owner: string
  /** Milliseconds since 1970, UTC. */
  readonly expiresAt: number
  constructor(pipeline: string, owner: string, expiresAt: number, consequence: string) {
    const until = new Date(expiresAt).toISOString()
    super(
      `Pipeline ${pipeline} is held by ${cutName(owner)} until ${until}: ${consequence} ` +
        'Wait until that run has ended; if it is dead, run again once the lease has expired.',
    )
    this.pipeline = pipeline
    this.owner = owner
    this.expiresAt = expiresAt
  }
}

/** The lease is no longer the caller's; what it did since may not be committed. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
  readonly pipeline: string
  readonly owner: string
  constructor(pipeline: string, owner: string, reason: string) {
    super(
      `${cutName(owner)} no longer holds pipeline ${pipeline}: ${reason}. Nothing was changed; a new run takes the work up.`,
    )
    this.pipeline = pipeline
    this.owner = owner
  }
}

/** The object is not there: removed, expired, or never written. */
export class StagedObjectMissing extends Error {
  override readonly name = 'StagedObjectMissing'
  constructor(location: string, options?: ErrorOptions) {
    super(
      `The staged object ${location} is missing: nothing was read from it. Stage it again with a new run, or check whether it expired.`,
      options,
    )
  }
}

/** The object is not what was written: short, changed, or another one. */
export class StagedObjectDamaged extends Error {
  override readonly name = 'StagedObjectDamaged'
  /** `difference` says as a phrase what differs from the reference. */
  constructor(location: string, difference: string) {
    super(
      `The staged object ${location} is damaged: ${difference}. Nothing read from it may be committed. Stage it again with a new run.`,
    )
  }
}
