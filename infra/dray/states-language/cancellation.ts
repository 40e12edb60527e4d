/** Thrown out of whatever was running when it was cancelled; no Retry or Catch sees it. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled'
}

/** Cancels what runs under it, down the tree of Parallel branches and Map items. */
export class Cancellation {
  #cancelled = false
  readonly #listeners = new Set<() => void>()
  #leaveParent: () => void = () => {}

  constructor(parent?: Cancellation) {
    if (parent !== undefined) this.#leaveParent = parent.onCancel(() => this.cancel())
  }

  get cancelled(): boolean {
    return this.#cancelled
  }

  throwIfCancelled(): void {
    if (this.#cancelled) throw new Cancelled('The execution, or the branch that this is in, has ended.')
  }

  cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    for (const listener of [...this.#listeners]) listener()
    this.#listeners.clear()
  }

  /** Calls `listener` once when cancelled, at once if that has happened; returns how to unsubscribe. */
  onCancel(listener: () => void): () => void {
    if (this.#cancelled) {
      listener()
      return () => {}
    }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Leaves the parent, which may live much longer. */
  dispose(): void {
    this.#leaveParent()
  }
}
