import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import type { DeployedWorkflow } from './deployed-handlers.ts'
import { databasesOfSteps } from './step-databases.ts'

/** Every workflow of a project with the databases that its steps work with. */
export function deployedWorkflows(project: LoadedProject): Promise<readonly DeployedWorkflow[]> {
  return Promise.all(
    project.workflows.map(async (workflow) => ({ workflow, databases: await databasesOfSteps(workflow, project) })),
  )
}
