import type { Cancellation } from './cancellation.ts'
import { Cancelled } from './cancellation.ts'
import type { Clock } from './clock.ts'
import { fromHandler, StatesError } from './states-error.ts'

/** What runs the functions: worker threads, or a test. */
export interface TaskExecutor {
  /**
   * Calls a function with a payload; its result is the Lambda's. An error's `name` is what Retry and Catch match. When
   * the signal aborts (timeout, abort, a failed sibling), nobody waits for the result any more.
   */
  invoke(
    functionName: string,
    payload: unknown,
    options: { readonly signal: AbortSignal; readonly timeoutSeconds: number },
  ): Promise<unknown>
}

export interface Invocation {
  readonly functionName: string
  readonly payload: unknown
  readonly timeoutSeconds: number
}

const finished = new Error('The task has ended.')

/**
 * Calls a function within its time. Throws `StatesError` (`States.Timeout`, or what the handler threw) or `Cancelled`.
 * `track` is given the function's own promise, which may go on after a timeout.
 */
export function invokeTask(
  task: Invocation,
  parts: {
    readonly executor: TaskExecutor
    readonly clock: Clock
    readonly cancellation: Cancellation
    readonly track: (running: Promise<unknown>) => void
  },
): Promise<unknown> {
  const { executor, clock, cancellation, track } = parts
  const handler = new AbortController()
  const timer = new AbortController()
  return new Promise((resolve, reject) => {
    const stop = cancellation.onCancel(() => {
      timer.abort(finished)
      const reason = new Cancelled(`${task.functionName} was cancelled.`)
      handler.abort(reason)
      reject(reason)
    })
    const settle = (outcome: () => void) => {
      stop()
      timer.abort(finished)
      outcome()
    }
    const running = Promise.try(() =>
      executor.invoke(task.functionName, task.payload, { signal: handler.signal, timeoutSeconds: task.timeoutSeconds }),
    )
    track(running)
    running.then(
      (result) => settle(() => resolve(result)),
      (thrown: unknown) => settle(() => reject(fromHandler(thrown))),
    )
    clock.sleep(task.timeoutSeconds * 1000, timer.signal).then(
      () => {
        const error = new StatesError(
          'States.Timeout',
          `${task.functionName} ran longer than ${task.timeoutSeconds} s.`,
        )
        stop()
        reject(error)
        handler.abort(error)
      },
      () => {},
    )
  })
}
