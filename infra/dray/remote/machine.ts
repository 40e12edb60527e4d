import {
  DescribeExecutionCommand,
  DescribeStateMachineForExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn'
import type { RunInput } from 'dray/internal/messages/run-input.ts'
import { executionArn, startedExecutions } from 'dray/internal/workflow/machines-in.ts'

/** How far a run is, as what runs it tells. */
export interface Execution {
  readonly status: 'running' | 'succeeded' | 'failed' | 'aborted'
  /** Milliseconds since 1970. */
  readonly startTime: number
  readonly endTime: number | null
  /** Why it ended before its last state, for a person; null when it did not, or when nothing is known. */
  readonly reason: string | null
}

/** An execution with the input that it was started with. */
export interface StartedExecution extends Execution {
  readonly input: RunInput
}

const statuses: Readonly<Record<string, Execution['status']>> = { SUCCEEDED: 'succeeded', ABORTED: 'aborted' }

/** The state machine of a workflow; its executions are named after their runs. */
export class Machine {
  readonly #client: SFNClient
  readonly #arn: string

  constructor(client: SFNClient, arn: string) {
    this.#client = client
    this.#arn = arn
  }

  async start(run: string, input: RunInput): Promise<void> {
    const request = { stateMachineArn: this.#arn, name: run, input: JSON.stringify(input) }
    try {
      await this.#client.send(new StartExecutionCommand(request))
    } catch (error) {
      // Nobody else takes the name: an earlier try has started it, and its reply was lost.
      if (!(error instanceof ExecutionAlreadyExists)) throw error
    }
  }

  /** Null when there is no such execution: it never was, or is older than 90 days. */
  async execution(run: string): Promise<StartedExecution | null> {
    try {
      const found = await this.#client.send(
        new DescribeExecutionCommand({ executionArn: executionArn(this.#arn, run) }),
      )
      const { status = '', startDate, stopDate, error, cause, input = '{}' } = found
      const running = status === 'RUNNING' || status === 'PENDING_REDRIVE'
      const why = [error, cause].filter(Boolean).join(': ')
      return {
        status: running ? 'running' : (statuses[status] ?? 'failed'),
        startTime: startDate?.getTime() ?? Date.now(),
        endTime: running ? null : (stopDate?.getTime() ?? Date.now()),
        reason: status === 'TIMED_OUT' ? 'it took longer than it may' : why || null,
        input: JSON.parse(input) as RunInput,
      }
    } catch (thrown) {
      if (thrown instanceof ExecutionDoesNotExist) return null
      throw thrown
    }
  }

  /**
   * Stops an execution, and then what it has started for these pipelines: the service stops those, too, but does not
   * promise to.
   */
  async stop(run: string, cause: string, pipelines: readonly string[]): Promise<void> {
    const started = await startedExecutions({ machine: this.#arn, run }, pipelines, (one) => this.#definitionOf(one))
    const stopped = { executionArn: executionArn(this.#arn, run), error: 'Stopped', cause }
    await this.#client.send(new StopExecutionCommand(stopped))
    for (const execution of started) await this.#stopChild(execution, cause)
  }

  async #definitionOf(execution: string): Promise<string | null> {
    try {
      const asked = new DescribeStateMachineForExecutionCommand({ executionArn: execution })
      return (await this.#client.send(asked)).definition ?? '{}'
    } catch (thrown) {
      if (thrown instanceof ExecutionDoesNotExist) return null
      throw thrown
    }
  }

  /** One that has ended stays as it is. */
  async #stopChild(execution: string, cause: string): Promise<void> {
    try {
      await this.#client.send(new StopExecutionCommand({ executionArn: execution, error: 'Stopped', cause }))
    } catch (thrown) {
      if (!(thrown instanceof ExecutionDoesNotExist || hasEnded(thrown))) throw thrown
    }
  }
}

/** The service may have stopped it with what had started it. */
function hasEnded(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'ValidationException' && /not running/i.test(thrown.message)
}
