import { pathToFileURL } from 'node:url'
import type { Progress } from 'dray/internal/pipeline/services.ts'
import type { FromWorker, HandlerFailure, Invocation, ToWorker } from './worker-messages.ts'

/** Between two messages, each of which wakes another thread. Milliseconds. */
const PROGRESS_MS = 50

/** Answers what a pool tells, one call at a time; modules and connections stay warm. */
export function answering(post: (message: FromWorker) => void): (message: ToWorker) => Promise<void> {
  const calls = new Map<number, AbortController>()
  const tell = throttledProgress(post)
  return async (message) => {
    if (message.type === 'abort') calls.get(message.id)?.abort(aborted(message.reason))
    else if (message.type === 'load') await load(message.files)
    else if (message.type === 'close') post(await closed())
    else {
      const { id } = message.invocation
      const controller = new AbortController()
      calls.set(id, controller)
      const answer = await answerOf(message.invocation, controller.signal)
      calls.delete(id)
      tell()
      post(answer)
    }
  }
}

/** Listens to handlers; what is returned passes on what they said last. */
function throttledProgress(post: (message: FromWorker) => void): () => void {
  let toldAt = Number.NEGATIVE_INFINITY
  let untold: Progress | null = null
  const tell = () => {
    if (untold === null) return
    post({ type: 'progress', event: untold })
    toldAt = performance.now()
    untold = null
  }
  Object.assign(globalThis, {
    drayProgress(event: Progress) {
      untold = event
      if (performance.now() - toldAt >= PROGRESS_MS) tell()
    },
  })
  return tell
}

async function answerOf(invocation: Invocation, signal: AbortSignal): Promise<FromWorker> {
  const { id } = invocation
  try {
    const { handler } = await import(pathToFileURL(invocation.file).href)
    if (typeof handler !== 'function') throw new TypeError(`${invocation.file} exports no function named handler`)
    const output = await handler(JSON.parse(invocation.payload), contextOf(invocation, signal))
    return { type: 'success', id, payload: JSON.stringify(output) ?? 'null' }
  } catch (error) {
    return { type: 'failure', id, error: failure(error) }
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

async function closed(): Promise<FromWorker> {
  const { closeDatabases } = await import('dray/internal/active-record/database.ts')
  await closeDatabases().catch(() => undefined)
  return { type: 'closed' }
}

function failure(error: unknown): HandlerFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined }
  return { name: error.name, message: error.message, stack: error.stack }
}

function aborted(reason: string): Error {
  return Object.assign(new Error(reason), { name: 'AbortError' })
}
