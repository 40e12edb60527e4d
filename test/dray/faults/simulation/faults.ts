import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from 'dray-infra/internal/states-language/index.ts'
import type { Invocation } from './invocation.ts'
import type { Io, Operation } from './io.ts'
import type { Random } from './random.ts'

/** What can happen at a numbered request. `stall` is longer than any deadline, `sleep` longer than most runs. */
export const FATES = [
  'crash before',
  'crash after',
  'lost before',
  'reply lost',
  'pause before',
  'pause after',
  'stall before',
  'stall after',
] as const
export type Fate = (typeof FATES)[number]

export interface FaultPlan {
  /** How likely a request goes wrong. */
  readonly rate: number
  /** How likely a request takes some time, so that others come in between. */
  readonly pauses: number
  readonly fates: readonly Fate[]
  /** A fault at the request of this number, whatever the rate. */
  readonly at?: { readonly request: number; readonly fate: Fate }
}

const never = new Promise<never>(() => {})

/** Goes wrong at requests of handlers, as drawn from the seed. */
export class Faults {
  readonly current = new AsyncLocalStorage<Invocation>()
  readonly #random: Random
  readonly #clock: Clock
  readonly #plan: FaultPlan
  readonly #trace: (text: () => string) => void
  /** Requests so far; the numbers of crash points. */
  requests = 0
  injected = 0
  /** Off: everything works, except what was stalled before. */
  on = true

  constructor(plan: FaultPlan, random: Random, clock: Clock, trace: (text: () => string) => void) {
    this.#plan = plan
    this.#random = random
    this.#clock = clock
    this.#trace = trace
  }

  readonly io: Io = async (operation, perform) => {
    const invocation = this.current.getStore()
    if (invocation === undefined) return perform()
    if (invocation.crashed) return never
    this.requests += 1
    const fate = this.#fate()
    const number = this.requests
    this.#trace(() => `  #${number} ${invocation.label}: ${operation.name}${fate === null ? '' : `  << ${fate}`}`)
    await this.#wait(operation, fate, 'before')
    if (invocation.crashed) return never
    if (fate === 'crash before') return this.#crash(invocation)
    if (fate === 'lost before') return this.#lose(operation)
    const result = await perform()
    if (invocation.crashed) return never
    if (fate === 'crash after') return this.#crash(invocation)
    if (fate === 'reply lost') return this.#lose(operation)
    await this.#wait(operation, fate, 'after')
    return invocation.crashed ? never : result
  }

  #fate(): Fate | null {
    if (!this.on) return null
    const { at, rate, pauses, fates } = this.#plan
    const random = this.#random.fraction()
    if (at !== undefined) {
      if (at.request !== this.requests) return null
      this.injected += 1
      return at.fate
    }
    if (random < rate) {
      this.injected += 1
      return this.#random.pick(fates)
    }
    return random < rate + pauses ? 'pause before' : null
  }

  async #wait(operation: Operation, fate: Fate | null, when: 'before' | 'after'): Promise<void> {
    if (fate === `pause ${when}`) await this.#clock.sleep(1000 * this.#random.integer(0, 20))
    if (fate !== `stall ${when}`) return
    const seconds = this.#random.pick([100, 400, 1_000, 3_000, 25_000])
    // A driver gives up a request when its signal fires; a process that is stopped does not see the signal.
    const signal = this.#random.chance(0.5) ? operation.signal : undefined
    await this.#clock.sleep(1000 * seconds, signal).catch((reason: unknown) => {
      operation.lost?.()
      throw reason
    })
  }

  #crash(invocation: Invocation): Promise<never> {
    invocation.crash(this.#random.pick([0, 0, 5, 90]))
    return never
  }

  #lose(operation: Operation): never {
    operation.lost?.()
    throw operation.fault()
  }
}
