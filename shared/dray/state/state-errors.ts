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
      `Pipeline ${pipeline} is held by ${owner} until ${until}: ${consequence} ` +
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
    super(`${owner} no longer holds pipeline ${pipeline}: ${reason}. Nothing was changed; a new run takes the work up.`)
    this.pipeline = pipeline
    this.owner = owner
  }
}

/** The state table did not answer, was busy or answered with a server error; a retry may succeed. */
export class StateUnavailable extends Error {
  override readonly name = 'Transient'
}

/** The state table refused: it does not exist, or the role may not use it. */
export class StateRefused extends Error {
  override readonly name = 'Terminal'
}

/** The environment does not say where the state is. */
export class StateMisconfigured extends Error {
  override readonly name = 'Configuration'
}
