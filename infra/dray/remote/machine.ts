import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn'
import type { RunInput } from 'dray/internal/messages/run-input.ts'

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
      const found = await this.#client.send(new DescribeExecutionCommand({ executionArn: this.#executionArn(run) }))
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

  async stop(run: string, cause: string): Promise<void> {
    const executionArn = this.#executionArn(run)
    await this.#client.send(new StopExecutionCommand({ executionArn, error: 'Stopped', cause }))
  }

  #executionArn(run: string): string {
    return `${this.#arn.replace(':stateMachine:', ':execution:')}:${run}`
  }
}
