import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  DescribeStateMachineForExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  SFNClient,
  SFNServiceException,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { RunRequest } from '#dray/messages/run-input.ts'
import type { ExecutionState, Executions } from '#dray/triggers/request-run.ts'
import { machinesIn } from '#dray/workflow/machines-in.ts'

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

  /** The pipelines that the workflow runs, as it is deployed. */
  async pipelines(): Promise<readonly string[]> {
    return [...(await this.#machines()).keys()]
  }

  async #machines(): Promise<ReadonlyMap<string, string>> {
    try {
      const { definition = '{}' } = await this.#client.send(
        new DescribeStateMachineCommand({ stateMachineArn: this.#machine }),
      )
      return machinesIn(definition)
    } catch (error) {
      throw translated(error as Error, 'Which pipelines the workflow runs could not be learnt')
    }
  }

  async stopPipelines(run: string, pipelines: readonly string[]): Promise<void> {
    try {
      const executionArn = executionOf(this.#machine, run)
      const { definition = '{}' } = await this.#client.send(
        new DescribeStateMachineForExecutionCommand({ executionArn }),
      )
      const machines = machinesIn(definition)
      for (const machine of pipelines.flatMap((pipeline) => machines.get(pipeline) ?? []))
        await this.#stop(machine, run)
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return
      throw translated(error as Error, `What the run ${run} has started could not be stopped`)
    }
  }

  /** One that has ended stays as it is. */
  async #stop(machine: string, run: string): Promise<void> {
    try {
      const cause = 'the run of its workflow has ended'
      const executionArn = executionOf(machine, run)
      await this.#client.send(new StopExecutionCommand({ executionArn, error: 'Stopped', cause }))
    } catch (error) {
      if (!(error instanceof ExecutionDoesNotExist)) throw error
    }
  }

  async stateOf(run: string, pipeline: string | null): Promise<ExecutionState> {
    const machine = pipeline === null ? this.#machine : (await this.#machines()).get(pipeline)
    if (machine === undefined) return 'unknown'
    const executionArn = executionOf(machine, run)
    try {
      const { status } = await this.#client.send(new DescribeExecutionCommand({ executionArn }))
      return status === 'RUNNING' || status === 'PENDING_REDRIVE' ? 'running' : 'ended'
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return 'unknown'
      throw translated(error as Error, `Whether the run ${run} has ended could not be learnt`)
    }
  }

  close(): void {
    this.#client.destroy()
  }
}

function executionOf(machine: string, name: string): string {
  return `${machine.replace(':stateMachine:', ':execution:')}:${name}`
}

function translated(error: Error, what: string): Error {
  const refused =
    error instanceof SFNServiceException && error.$fault === 'client' && !/Throttl|LimitExceeded/.test(error.name)
  const message = `${what}: ${error.message || error.name}; it is noted in the state table and tried again`
  return refused ? new TerminalError(message, { cause: error }) : new TransientError(message, { cause: error })
}
