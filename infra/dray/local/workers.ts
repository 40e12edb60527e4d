import { randomUUID } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Progress } from 'dray/internal/pipeline/services.ts'
import { HandlerThread } from './handler-thread.ts'
import { herePort } from './here-port.ts'
import { workerPort } from './worker-port.ts'

export interface WorkersOptions {
  /** Handlers at once; `min(cores, 8)` by default. */
  readonly size?: number
  /** How long an aborted handler may take to roll back before its thread is ended; 10,000 ms by default. */
  readonly graceMs?: number
  /** Handlers that need no thread: the one that asks calls them, one at a time; none by default. */
  readonly isHere?: (file: string) => boolean
  readonly onProgress?: (event: Progress) => void
  /** Each line that a handler writes to stdout or stderr. */
  readonly onLog?: (line: string) => void
}

export interface Call {
  readonly file: string
  readonly functionName: string
  readonly payload: unknown
  readonly timeoutSeconds: number
  readonly signal?: AbortSignal | undefined
}

export interface Workers {
  /** Calls a handler; rejects with an error of the handler's name and message, or as soon as the signal fires. */
  invoke(call: Call): Promise<unknown>
  /** Imports handlers before they are called, into a thread where one is to be started; others start when needed. */
  warm(files: readonly string[], inThread?: boolean): void
  /** From now on an aborted handler is ended without waiting. */
  hurry(): void
  /** Resolves when no handler runs any more. */
  idle(): Promise<void>
  /** Reads the items of a Distributed Map from where these handlers stage; from the folder of staging unless told. */
  readItems?(place: { readonly bucket: string; readonly key: string }): Promise<unknown>
  /** Aborts what runs, lets threads close their connections, and ends them. */
  close(): Promise<void>
}

const CLOSE_WITHIN_MS = 3_000

/** Threads that run handlers, one call at a time each, in the order of the calls. */
export function createWorkers(options: WorkersOptions = {}): Workers {
  const { size = Math.min(availableParallelism(), 8), graceMs = 10_000 } = options
  const threads = new Set<HandlerThread>()
  const free: HandlerThread[] = []
  const waiting: (() => void)[] = []
  const running = new Set<Promise<unknown>>()
  const hurried = new AbortController()

  const isHere = options.isHere ?? (() => false)
  const here = options.isHere === undefined ? null : new HandlerThread(options, herePort)
  let isHereFree = here !== null
  let busy = 0

  async function take({ file, signal }: Call): Promise<HandlerThread> {
    while (busy >= size) await turn(signal)
    if (signal?.aborted) {
      waiting.shift()?.()
      throw signal.reason
    }
    busy += 1
    if (here === null || !isHereFree || !isHere(file)) return free.pop() ?? start()
    isHereFree = false
    return here
  }

  function turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const stop = () => {
        waiting.splice(waiting.indexOf(go), 1)
        reject(signal?.reason)
      }
      waiting.push(go)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  function start(): HandlerThread {
    const thread = new HandlerThread(options, workerPort)
    threads.add(thread)
    thread.ended.then(() => {
      threads.delete(thread)
      const at = free.indexOf(thread)
      if (at >= 0) free.splice(at, 1)
    })
    return thread
  }

  function give(thread: HandlerThread): void {
    busy -= 1
    if (thread === here) isHereFree = !thread.isEnded
    else if (!thread.isEnded) free.push(thread)
    waiting.shift()?.()
  }

  /** Frees the thread when the handler has settled, or ends it when it has not within the grace after an abort. */
  async function run(thread: HandlerThread, call: Call): Promise<unknown> {
    const { file, functionName, timeoutSeconds } = call
    const payload = JSON.stringify(call.payload) ?? 'null'
    const invocation = { file, functionName, payload, requestId: randomUUID(), timeoutSeconds }
    const onAbort = async () => {
      thread.abort(String((call.signal?.reason as Error)?.message ?? 'aborted'))
      await delay(graceMs, undefined, { signal: AbortSignal.any([settled.signal, hurried.signal]) }).catch(
        () => undefined,
      )
      if (!settled.signal.aborted) await thread.terminate()
    }
    const settled = new AbortController()
    call.signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await thread.invoke(invocation)
    } finally {
      settled.abort()
      call.signal?.removeEventListener('abort', onAbort)
      give(thread)
    }
  }

  return {
    async invoke(call) {
      const thread = await take(call)
      const work = run(thread, call)
      const tracked = work.catch(() => undefined).finally(() => running.delete(tracked))
      running.add(tracked)
      return Promise.race([work, rejection(call.signal, work)])
    },
    warm(files, inThread = true) {
      here?.load(files.filter(isHere))
      if (!inThread) return
      if (threads.size === 0) free.push(start())
      for (const thread of threads) thread.load(files)
    },
    hurry: () => hurried.abort(),
    async idle() {
      while (running.size > 0) await Promise.all(running)
    },
    async close() {
      const open = [...threads, ...(here === null ? [] : [here])]
      await Promise.all(open.map((thread) => thread.close(CLOSE_WITHIN_MS)))
    },
  }
}

function rejection(signal: AbortSignal | undefined, work: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    if (!signal) return
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    work.catch(() => undefined).finally(() => signal.removeEventListener('abort', stop))
  })
}
