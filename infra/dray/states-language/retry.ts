import type { Retrier } from 'dray/internal/workflow/states-language.ts'
import { matchesError } from './states-error.ts'

/** Counts the retries of one visit of a state: each retrier has its own attempts. */
export class Retries {
  readonly #retriers: readonly Retrier[]
  readonly #random: () => number
  readonly #used = new Map<Retrier, number>()

  constructor(retriers: readonly Retrier[], random: () => number) {
    this.#retriers = retriers
    this.#random = random
  }

  /** Milliseconds to wait before the next attempt; null when the error is not to be retried (any more). */
  delayAfter(error: string): number | null {
    const retrier = this.#retriers.find(({ ErrorEquals }) => matchesError(ErrorEquals, error))
    if (retrier === undefined) return null
    const used = this.#used.get(retrier) ?? 0
    if (used >= (retrier.MaxAttempts ?? 3)) return null
    this.#used.set(retrier, used + 1)
    const backoff = (retrier.IntervalSeconds ?? 1) * (retrier.BackoffRate ?? 2) ** used
    const delay = Math.min(backoff, retrier.MaxDelaySeconds ?? Number.POSITIVE_INFINITY) * 1000
    return retrier.JitterStrategy === 'FULL' ? delay * this.#random() : delay
  }
}
