import type { StateMachine } from 'dray/internal/workflow/states-language.ts'
import { Cancelled } from './cancellation.ts'
import { checkDefinition } from './check-definition.ts'
import { Execution, type ExecutionOptions } from './execution.ts'
import { StatesError } from './states-error.ts'

export interface ExecuteOptions extends ExecutionOptions {
  /** Aborts the execution: fires the signals of running tasks, and starts nothing more. */
  readonly signal?: AbortSignal | undefined
  /** How long to wait, at the end, for functions that were aborted but have not returned; 5,000 ms by default. */
  readonly graceMs?: number | undefined
  /** All definitions have been checked by this very interpreter. */
  readonly isChecked?: boolean
}

export interface ExecutionResult {
  readonly status: 'SUCCEEDED' | 'FAILED' | 'ABORTED'
  readonly output?: unknown
  readonly error?: string
  readonly cause?: string
  /** How many events Step Functions would have in the history of the execution, which holds 25,000. */
  readonly historyEvents: number
}

/**
 * Executes a definition as Step Functions would. Throws `UnsupportedDefinition`, before anything has started, for a
 * definition with more than the interpreter implements; every other failure is in the result.
 */
export async function execute(definition: unknown, input: unknown, options: ExecuteOptions): Promise<ExecutionResult> {
  if (options.isChecked !== true) checkAll(definition, options.machines)
  const execution = new Execution(options)
  const abort = () => execution.cancellation.cancel()
  options.signal?.addEventListener('abort', abort, { once: true })
  if (options.signal?.aborted) abort()
  let result: Ended
  try {
    result = { status: 'SUCCEEDED', output: await execution.toItsEnd(definition as StateMachine, input) }
  } catch (thrown) {
    result = endOf(thrown, options.signal)
  } finally {
    options.signal?.removeEventListener('abort', abort)
    await settled(execution, options)
  }
  const { status, error = '', cause = '' } = result
  if (status === 'ABORTED') execution.emit({ type: 'execution-aborted', error, cause })
  return { ...result, historyEvents: execution.historyEvents + 1 }
}

function checkAll(definition: unknown, machines: ExecuteOptions['machines']): void {
  checkDefinition(definition)
  for (const { definition: other } of machines?.values() ?? []) checkDefinition(other)
}

type Ended = Omit<ExecutionResult, 'historyEvents'>

function endOf(thrown: unknown, signal: AbortSignal | undefined): Ended {
  if (thrown instanceof StatesError) return { status: 'FAILED', error: thrown.error, cause: thrown.causeText }
  if (!(thrown instanceof Cancelled)) throw thrown
  const reason: unknown = signal?.reason
  const [error, cause] = reason instanceof Error ? [reason.name, reason.message] : ['Aborted', String(reason)]
  return { status: 'ABORTED', error, cause }
}

/** An aborted handler rolls its transaction back first; it is given the time, and not more than that. */
async function settled(execution: Execution, options: ExecuteOptions): Promise<void> {
  if (execution.running.length === 0) return
  const grace = new AbortController()
  await Promise.race([
    Promise.allSettled(execution.running),
    options.clock.sleep(options.graceMs ?? 5_000, grace.signal).catch(() => {}),
  ])
  grace.abort()
}
