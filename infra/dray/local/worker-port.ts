import { createInterface } from 'node:readline'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { usedBundle } from '#dray-infra/bundle/kept-bundle.ts'
import type { ThreadEvents, ThreadPort } from './handler-thread.ts'
import type { FromWorker } from './worker-messages.ts'

/*
 * For the heaps of threads, in MB. Rows die young, so that the space that they are made in need not be large; and what
 * lies outside the heap (blocks of rows) must not make V8 look through a heap of a few MB again and again.
 */
setFlagsFromString('--max-semi-space-size=4')
setFlagsFromString('--initial-old-space-size=64')

/** Starts a worker thread. */
export function workerPort({ onMessage, onError, onEnd, onLog }: ThreadEvents): ThreadPort {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    stdout: true,
    stderr: true,
    workerData: { bundle: usedBundle() },
  })
  worker.on('message', (message: FromWorker) => onMessage(message))
  worker.on('error', (error) => onError(error instanceof Error ? error : new Error(String(error))))
  worker.once('exit', onEnd)
  for (const output of [worker.stdout, worker.stderr]) {
    createInterface(output).on('line', (line) => onLog?.(line))
  }
  return {
    post: (message) => worker.postMessage(message),
    async terminate() {
      await worker.terminate()
    },
  }
}
