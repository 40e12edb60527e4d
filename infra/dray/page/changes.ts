import { statSync } from 'node:fs'

/** How often a file of this machine is looked at, and how often an environment is asked, in ms. */
const LOCAL_MS = 150
const REMOTE_MS = 5_000

/** What may have changed, for those who look at it. */
export type Change = 'state' | 'project' | 'commands' | 'loop'

/** Tells listeners of changes; looks for those of the state only while somebody listens. */
export class Changes {
  readonly #stateFile: string | null
  readonly #listeners = new Set<(change: Change) => void>()
  #timer: NodeJS.Timeout | null = null
  #stamp = ''

  constructor(stateFile: string | null) {
    this.#stateFile = stateFile
  }

  listen(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    this.#stamp = this.#stampOfState()
    this.#timer ??= setInterval(() => this.#look(), this.#stateFile === null ? REMOTE_MS : LOCAL_MS)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.stop()
    }
  }

  tell(change: Change): void {
    for (const listener of this.#listeners) listener(change)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #look(): void {
    const stamp = this.#stampOfState()
    if (this.#stateFile !== null && stamp === this.#stamp) return
    this.#stamp = stamp
    this.tell('state')
  }

  /** SQLite writes beside the file first. */
  #stampOfState(): string {
    if (this.#stateFile === null) return ''
    return [this.#stateFile, `${this.#stateFile}-wal`].map(stampOf).join()
  }
}

function stampOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.size} ${stat.mtimeNs}`
}
