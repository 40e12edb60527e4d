import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  SFNClient,
  SFNServiceException,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { RunRequest } from '#dray/messages/run-input.ts'
import type { Executions } from '#dray/triggers/request-run.ts'

/** The executions of a state machine. The endpoint comes from the environment, as of all clients of the SDK. */
export class StepFunctionsExecutions implements Executions {
  readonly #client = new SFNClient({
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
  })
  readonly #machine: string

  constructor(stateMachineArn: string) {
    this.#machine = stateMachineArn
  }

  /** Its name makes a second start of a run the same as the first one. */
  async start(run: string, request: RunRequest): Promise<void> {
    const input = JSON.stringify(request)
    try {
      await this.#client.send(new StartExecutionCommand({ stateMachineArn: this.#machine, name: run, input }))
    } catch (error) {
      if (error instanceof ExecutionAlreadyExists) return
      throw translated(error as Error, `The run ${run} could not be started`)
    }
  }

  async isOver(run: string): Promise<boolean> {
    const executionArn = `${this.#machine.replace(':stateMachine:', ':execution:')}:${run}`
    try {
      const { status } = await this.#client.send(new DescribeExecutionCommand({ executionArn }))
      return status !== 'RUNNING' && status !== 'PENDING_REDRIVE'
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return true
      throw translated(error as Error, `Whether the run ${run} has ended could not be learnt`)
    }
  }

  close(): void {
    this.#client.destroy()
  }
}

function translated(error: Error, what: string): Error {
  const refused =
    error instanceof SFNServiceException && error.$fault === 'client' && !/Throttl|LimitExceeded/.test(error.name)
  const message = `${what}: ${error.message || error.name}; it is noted in the state table and tried again`
  return refused ? new TerminalError(message, { cause: error }) : new TransientError(message, { cause: error })
}
