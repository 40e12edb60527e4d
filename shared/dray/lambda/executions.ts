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
import { isTableStep, unitOf } from '#dray/messages/step-name.ts'
import type { ExecutionState, Executions } from '#dray/triggers/request-run.ts'
import {
  executionArn,
  machinesIn,
  replicasIn,
  startedExecutions,
  startedMachinesIn,
} from '#dray/workflow/machines-in.ts'

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

  /** The pipelines that the workflow runs, as it is deployed, and those of them that are replicas. */
  async pipelines(): Promise<{ readonly pipelines: readonly string[]; readonly replicas: readonly string[] }> {
    const definition = await this.#definition(this.#machine)
    return { pipelines: [...machinesIn(definition).keys()], replicas: replicasIn(definition) }
  }

  async #definition(stateMachineArn: string): Promise<string> {
    try {
      const { definition = '{}' } = await this.#client.send(new DescribeStateMachineCommand({ stateMachineArn }))
      return definition
    } catch (error) {
      throw translated(error as Error, 'Which pipelines the workflow runs could not be learnt')
    }
  }

  async stopPipelines(run: string, pipelines: readonly string[]): Promise<void> {
    try {
      const started = await startedExecutions({ machine: this.#machine, run }, pipelines, (execution) =>
        this.#definitionOf(execution),
      )
      for (const execution of started) await this.#stop(execution)
    } catch (error) {
      throw translated(error as Error, `What the run ${run} has started could not be stopped`)
    }
  }

  async #definitionOf(execution: string): Promise<string | null> {
    try {
      const asked = new DescribeStateMachineForExecutionCommand({ executionArn: execution })
      return (await this.#client.send(asked)).definition ?? '{}'
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return null
      throw error
    }
  }

  /** One that has ended stays as it is. */
  async #stop(execution: string): Promise<void> {
    try {
      const cause = 'the run of its workflow has ended'
      await this.#client.send(new StopExecutionCommand({ executionArn: execution, error: 'Stopped', cause }))
    } catch (error) {
      if (!(error instanceof ExecutionDoesNotExist)) throw error
    }
  }

  async stateOf(run: string, pipeline: string | null): Promise<ExecutionState> {
    const machine = pipeline === null ? this.#machine : await this.#machineOf(pipeline)
    if (machine === undefined) return 'unknown'
    try {
      const { status } = await this.#client.send(
        new DescribeExecutionCommand({ executionArn: executionArn(machine, run) }),
      )
      return status === 'RUNNING' || status === 'PENDING_REDRIVE' ? 'running' : 'ended'
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return 'unknown'
      throw translated(error as Error, `Whether the run ${run} has ended could not be learnt`)
    }
  }

  /** That of a table, which no step of the workflow need be, is named by its replica's. */
  async #machineOf(pipeline: string): Promise<string | undefined> {
    const machines = machinesIn(await this.#definition(this.#machine))
    const replica = machines.get(unitOf(pipeline))
    if (machines.has(pipeline) || !isTableStep(pipeline) || replica === undefined) return machines.get(pipeline)
    return startedMachinesIn(await this.#definition(replica))[0]
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
