import { setTimeout as delay } from 'node:timers/promises'

/** Where the interpreter takes its time from. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts before. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The longest that a timer of Node can wait; a longer one would fire at once. */
const longestTimer = 2 ** 31 - 1

export const realClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    const until = performance.now() + ms
    for (let left = ms; left > 0; left = until - performance.now()) {
      try {
        await delay(Math.min(left, longestTimer), undefined, signal === undefined ? {} : { signal })
      } catch (error) {
        throw signal?.aborted ? signal.reason : error
      }
    }
    signal?.throwIfAborted()
  },
}

interface Timer {
  readonly at: number
  readonly wake: () => void
}

/**
 * A clock for tests: when all that runs waits for it, it jumps to the next timer. Timers of the same time fire in the
 * order in which they were set, one by one, so that every run is the same. What waits for real I/O is not seen.
 */
export class VirtualClock implements Clock {
  #now: number
  #timers: Timer[] = []
  #jumping = false

  constructor(start = 0) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const cancel = () => {
        this.#timers.splice(this.#timers.indexOf(timer), 1)
        reject(signal?.reason)
      }
      const wake = () => {
        signal?.removeEventListener('abort', cancel)
        resolve()
      }
      const timer: Timer = { at: this.#now + Math.max(0, ms), wake }
      signal?.addEventListener('abort', cancel, { once: true })
      this.#insert(timer)
      this.#jumpSoon()
    })
  }

  #insert(timer: Timer): void {
    const place = this.#timers.findIndex((other) => other.at > timer.at)
    this.#timers.splice(place === -1 ? this.#timers.length : place, 0, timer)
  }

  /** An immediate runs when no promise is left to continue. */
  #jumpSoon(): void {
    if (this.#jumping) return
    this.#jumping = true
    setImmediate(() => {
      this.#jumping = false
      const next = this.#timers.shift()
      if (next === undefined) return
      this.#now = next.at
      next.wake()
      this.#jumpSoon()
    })
  }
}
