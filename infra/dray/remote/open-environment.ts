import type { SFNClient } from '@aws-sdk/client-sfn'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import { createStagingStore } from 'dray/internal/staging/staging-url.ts'
import { createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { allUnitsOf } from 'dray/internal/workflow/placeholders.ts'
import { stacksOfPipelines } from '#dray-infra/aws/names.ts'
import { environmentNamed } from '#dray-infra/project/environments.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { type DeployedEnvironment, findEnvironment } from './deployed-environment.ts'
import { Machine } from './machine.ts'
import { explained } from './refusals.ts'

/** A deployed environment with its stores open. */
export interface OpenEnvironment extends DeployedEnvironment {
  readonly state: StateStore
  readonly staging: StagingStore
  machine(workflow: string): Machine
  /** That of a pipeline of the project, or of a table of a replica. */
  pipelineMachine(pipeline: string): Machine
}

/** Lends an environment to `work`. What AWS refuses becomes a `Configuration` that says what to do. */
export async function withEnvironment<T>(name: string, work: (environment: OpenEnvironment) => Promise<T>): Promise<T> {
  const project = await loadProject()
  const settings = environmentNamed(name, project)
  // The stores take their region from the SDK's own variables.
  if (settings.region !== undefined) process.env.AWS_REGION = settings.region
  const { CloudFormationClient } = await import('@aws-sdk/client-cloudformation')
  const { SFNClient } = await import('@aws-sdk/client-sfn')
  const client = new CloudFormationClient()
  const executions = new SFNClient()
  try {
    const found = await findEnvironment(settings, client)
    return await withStores(
      found,
      { executions, stacks: stacksOfPipelines(allUnitsOf(project.workflows).map((unit) => unit.name)) },
      work,
    )
  } catch (error) {
    throw explained(error, name)
  } finally {
    client.destroy()
    executions.destroy()
  }
}

async function withStores<T>(
  found: DeployedEnvironment,
  { executions, stacks }: { readonly executions: SFNClient; readonly stacks: ReadonlyMap<string, number> },
  work: (environment: OpenEnvironment) => Promise<T>,
): Promise<T> {
  // The endpoint of the local services, where it is set, is not this environment's.
  const state = createStateStore({ tableName: found.stateTable, endpoint: '' })
  try {
    const staging = await createStagingStore(found.stagingUrl)
    const machine = (workflow: string) => new Machine(executions, found.machineOf(workflow))
    const pipelineMachine = (pipeline: string) =>
      new Machine(executions, found.machineOfPipeline(pipeline, stacks.get(unitOf(pipeline)) ?? 1))
    return await work({ ...found, state, staging, machine, pipelineMachine })
  } finally {
    state.close()
  }
}
