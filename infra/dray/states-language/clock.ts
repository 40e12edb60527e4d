import { setTimeout as delay } from 'node:timers/promises'

/** Where the interpreter takes its time from. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts before. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The longest that a timer of Node can wait; a longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1

export const realClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    const until = performance.now() + ms
    for (let left = ms; left > 0; left = until - performance.now()) {
      try {
        await delay(Math.min(left, LONGEST_TIMER), undefined, signal === undefined ? {} : { signal })
      } catch (error) {
        throw signal?.aborted ? signal.reason : error
      }
    }
    signal?.throwIfAborted()
  },
}
