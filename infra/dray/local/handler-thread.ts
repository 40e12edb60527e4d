import { setTimeout as delay } from 'node:timers/promises'
import type { Progress } from 'dray/internal/pipeline/services.ts'
import type { FromWorker, HandlerFailure, Invocation, ToWorker } from './worker-messages.ts'

export interface ThreadListeners {
  readonly onProgress?: (event: Progress) => void
  readonly onLog?: (line: string) => void
}

interface Settle {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** What a thread does, as its port says it. */
export interface ThreadEvents extends ThreadListeners {
  onMessage(message: FromWorker): void
  /** An error of no call, by which the thread ends. */
  onError(error: Error): void
  onEnd(): void
}

/** The way to where handlers are called. */
export interface ThreadPort {
  post(message: ToWorker): void
  /** Whatever is under way. */
  terminate(): Promise<void>
}

/** A thread that calls handlers, and the call that it works on. */
export class HandlerThread {
  readonly ended: Promise<void>
  readonly #port: ThreadPort
  readonly #listeners: ThreadListeners
  #calls = 0
  #current: Settle | null = null
  #closed: (() => void) | null = null
  #error: Error | null = null
  #isEnded = false

  constructor(listeners: ThreadListeners, open: (events: ThreadEvents) => ThreadPort) {
    this.#listeners = listeners
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#port = open({
      ...listeners,
      onMessage: (message) => this.#receive(message),
      onError: (error) => {
        this.#error = error
      },
      onEnd: () => {
        this.#isEnded = true
        this.#settle()?.reject(this.#error ?? terminated())
        this.#closed?.()
        resolve()
      },
    })
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  invoke(invocation: Omit<Invocation, 'id'>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#calls += 1
      this.#current = { resolve, reject }
      this.#post({ type: 'invoke', invocation: { ...invocation, id: this.#calls } })
    })
  }

  abort(reason: string): void {
    this.#post({ type: 'abort', id: this.#calls, reason })
  }

  load(files: readonly string[]): void {
    this.#post({ type: 'load', files })
  }

  async terminate(): Promise<void> {
    await this.#port.terminate()
  }

  /** Asks the thread to close its connections, waits at most `withinMs`, and ends it. */
  async close(withinMs: number): Promise<void> {
    if (this.#isEnded) return
    const closed = new Promise<void>((resolve) => {
      this.#closed = resolve
    })
    const timer = new AbortController()
    this.#post({ type: 'close' })
    await Promise.race([closed, delay(withinMs, undefined, { signal: timer.signal }).catch(() => undefined)])
    timer.abort()
    await this.terminate()
  }

  #receive(message: FromWorker): void {
    if (message.type === 'progress') this.#listeners.onProgress?.(message.event)
    else if (message.type === 'closed') this.#closed?.()
    else if (message.id !== this.#calls) return
    else if (message.type === 'success') this.#settle()?.resolve(JSON.parse(message.payload))
    else this.#settle()?.reject(errorOf(message.error))
  }

  #settle(): Settle | null {
    const current = this.#current
    this.#current = null
    return current
  }

  #post(message: ToWorker): void {
    this.#port.post(message)
  }
}

function errorOf(failure: HandlerFailure): Error {
  const error = new Error(failure.message)
  error.name = failure.name
  if (failure.stack !== undefined) error.stack = failure.stack
  return error
}

/** A thread that ended in the middle of a call: what it wrote was not committed, so a retry may succeed. */
function terminated(): Error {
  const error = new Error(
    'The thread of the handler was ended before it had finished; its open transaction is rolled back.',
  )
  error.name = 'Transient'
  return error
}
