import type { Clock } from 'dray-infra/internal/states-language/index.ts'
import type { MemoryConnection } from './memory-adapter.ts'

/** How the service names the end of a Lambda's process. */
function exitError(label: string): Error {
  return Object.assign(new Error(`${label}: the process ended`), { name: 'Runtime.ExitError' })
}

/** One call of a handler: a process of its own as far as anybody can see. */
export class Invocation {
  readonly label: string
  readonly payload: unknown
  readonly signal: AbortSignal
  /** Milliseconds by which the clock of the machine that it runs on is wrong. */
  readonly skew: number
  /** Milliseconds of the simulation. */
  readonly startedAt: number
  readonly #clock: Clock
  readonly #connections: MemoryConnection[] = []
  readonly #exit = Promise.withResolvers<never>()
  crashed = false

  constructor(label: string, payload: unknown, signal: AbortSignal, skew: number, clock: Clock) {
    this.label = label
    this.payload = payload
    this.signal = signal
    this.skew = skew
    this.startedAt = clock.now()
    this.#clock = clock
    this.#exit.promise.catch(() => {})
  }

  /** Rejects when the process ends. */
  get exit(): Promise<never> {
    return this.#exit.promise
  }

  connected(connection: MemoryConnection): void {
    this.#connections.push(connection)
  }

  /** The process ends now; its databases notice `seconds` later. */
  crash(seconds: number): void {
    if (this.crashed) return
    this.crashed = true
    this.#exit.reject(exitError(this.label))
    void this.#clock.sleep(seconds * 1000).then(() => {
      for (const connection of this.#connections) connection.kill()
    })
  }
}
