import { pathToFileURL } from 'node:url'
import { parentPort } from 'node:worker_threads'
import type { Progress } from 'dray/internal/pipeline/services.ts'
import type { FromWorker, HandlerFailure, Invocation, ToWorker } from './worker-messages.ts'

/* The calls of a thread: one at a time, modules and connections stay warm. */

const calls = new Map<number, AbortController>()

/** Between two messages, each of which wakes another thread. Milliseconds. */
const PROGRESS_MS = 50
let toldAt = Number.NEGATIVE_INFINITY
let untold: Progress | null = null

Object.assign(globalThis, {
  drayProgress(event: Progress) {
    untold = event
    if (performance.now() - toldAt >= PROGRESS_MS) tell()
  },
})

function tell(): void {
  if (untold === null) return
  post({ type: 'progress', event: untold })
  toldAt = performance.now()
  untold = null
}

parentPort?.on('message', async (message: ToWorker) => {
  if (message.type === 'invoke') await invoke(message.invocation)
  else if (message.type === 'abort') calls.get(message.id)?.abort(aborted(message.reason))
  else if (message.type === 'load') await load(message.files)
  else await close()
})

async function invoke(invocation: Invocation): Promise<void> {
  const { id } = invocation
  const controller = new AbortController()
  calls.set(id, controller)
  try {
    const { handler } = await import(pathToFileURL(invocation.file).href)
    if (typeof handler !== 'function') throw new TypeError(`${invocation.file} exports no function named handler`)
    const output = await handler(JSON.parse(invocation.payload), contextOf(invocation, controller.signal))
    tell()
    post({ type: 'success', id, payload: JSON.stringify(output) ?? 'null' })
  } catch (error) {
    tell()
    post({ type: 'failure', id, error: failure(error) })
  } finally {
    calls.delete(id)
  }
}

/**
 * The members of https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html, and a signal that fires on abort.
 */
function contextOf(invocation: Invocation, signal: AbortSignal) {
  const { functionName, requestId } = invocation
  const deadline = Date.now() + invocation.timeoutSeconds * 1000
  return {
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:local:000000000000:function:${functionName}`,
    memoryLimitInMB: '1769',
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: requestId,
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    signal,
  }
}

/** Imports handlers ahead of their first call. What cannot be imported is reported by that call. */
async function load(files: readonly string[]): Promise<void> {
  for (const file of files) await import(pathToFileURL(file).href).catch(() => undefined)
}

async function close(): Promise<void> {
  const { closeDatabases } = await import('dray/internal/active-record/database.ts')
  await closeDatabases().catch(() => undefined)
  post({ type: 'closed' })
}

function failure(error: unknown): HandlerFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined }
  return { name: error.name, message: error.message, stack: error.stack }
}

function aborted(reason: string): Error {
  return Object.assign(new Error(reason), { name: 'AbortError' })
}

function post(message: FromWorker): void {
  parentPort?.postMessage(message)
}
