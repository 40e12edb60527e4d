import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import type { Progress } from 'dray/internal/pipeline/services.ts'
import { usedBundle } from '#dray-infra/bundle/kept-bundle.ts'
import type { FromWorker, HandlerFailure, Invocation, ToWorker } from './worker-messages.ts'

/*
 * For the heaps of threads, in MB. Rows die young, so that the space that they are made in need not be large; and what
 * lies outside the heap (blocks of rows) must not make V8 look through a heap of a few MB again and again.
 */
setFlagsFromString('--max-semi-space-size=4')
setFlagsFromString('--initial-old-space-size=64')

export interface ThreadListeners {
  readonly onProgress?: (event: Progress) => void
  readonly onLog?: (line: string) => void
}

interface Settle {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** One worker thread and the call that it works on. */
export class WorkerThread {
  readonly ended: Promise<void>
  readonly #worker: Worker
  readonly #listeners: ThreadListeners
  #calls = 0
  #current: Settle | null = null
  #closed: (() => void) | null = null
  #error: Error | null = null

  constructor(listeners: ThreadListeners) {
    this.#listeners = listeners
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      stdout: true,
      stderr: true,
      workerData: { bundle: usedBundle() },
    })
    this.#worker.on('message', (message: FromWorker) => this.#receive(message))
    this.#worker.on('error', (error) => {
      this.#error = error instanceof Error ? error : new Error(String(error))
    })
    for (const output of [this.#worker.stdout, this.#worker.stderr]) {
      createInterface(output).on('line', (line) => listeners.onLog?.(line))
    }
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#settle()?.reject(this.#error ?? terminated())
        this.#closed?.()
        resolve()
      })
    })
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
    await this.#worker.terminate()
  }

  /** Asks the thread to close its connections, waits at most `withinMs`, and ends it. */
  async close(withinMs: number): Promise<void> {
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
    this.#worker.postMessage(message)
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
