/** The object is not there: removed, expired, or never written. */
export class StagedObjectMissing extends Error {
  override readonly name = 'StagedObjectMissing'
  readonly location: string
  constructor(location: string, options?: ErrorOptions) {
    super(
      `The staged object ${location} is missing: nothing was read from it. Stage it again with a new run, or check whether it expired.`,
      options,
    )
    this.location = location
  }
}

/** The object is not what was written: short, changed, or another one. */
export class StagedObjectDamaged extends Error {
  override readonly name = 'StagedObjectDamaged'
  readonly location: string
  /** What differs from the reference, as a phrase. */
  readonly difference: string
  constructor(location: string, difference: string) {
    super(
      `The staged object ${location} is damaged: ${difference}. Nothing read from it may be committed. Stage it again with a new run.`,
    )
    this.location = location
    this.difference = difference
  }
}

/** Staging did not answer or answered with a server error; a retry may succeed. */
export class StagingUnavailable extends Error {
  override readonly name = 'Transient'
}

/** Staging refused: no space, no permission, no such bucket, or a body that breaks the format. */
export class StagingRefused extends Error {
  override readonly name = 'Terminal'
}

/** The URL, the prefix or the key cannot be used for staging. */
export class StagingMisconfigured extends Error {
  override readonly name = 'Configuration'
}
