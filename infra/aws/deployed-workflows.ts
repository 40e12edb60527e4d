import { workflows } from '#infra/workflows/index.ts'
import type { DeployedWorkflow } from './deployed-handlers.ts'
import { databasesOfSteps } from './step-databases.ts'

/** Every workflow with the databases that its steps work with. */
export function deployedWorkflows(): Promise<readonly DeployedWorkflow[]> {
  return Promise.all(workflows.map(async (workflow) => ({ workflow, databases: await databasesOfSteps(workflow) })))
}
