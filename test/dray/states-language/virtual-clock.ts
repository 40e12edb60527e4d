import type { Clock } from 'dray-infra/internal/states-language/clock.ts'

interface Timer {
  readonly at: number
  readonly wake: () => void
}

/**
 * When all that runs waits for it, it jumps to the next timer. Timers of the same time fire in the
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
