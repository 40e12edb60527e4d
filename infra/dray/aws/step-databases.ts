import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'

/** Names of the databases that a step works with. */
export interface StepDatabases {
  readonly sources: readonly string[]
  readonly targets: readonly string[]
  /** Of the tables that a task says it works with. */
  readonly declared: readonly string[]
}

/**
 * Which databases each step reads and writes: a pipeline those of its models, a comparison those of its pipeline, a
 * task those that the workflow's pipelines write, and those of the tables that it names.
 */
export async function databasesOfSteps(
  workflow: Workflow,
  project: Pick<LoadedProject, 'findPipeline'>,
): Promise<ReadonlyMap<string, StepDatabases>> {
  const databases = new Map<string, StepDatabases>()
  for (const { kind, name } of workflow.steps) {
    if (kind === 'pipeline') databases.set(name, databasesOf(await project.findPipeline(name)))
  }
  const targets = [...new Set([...databases.values()].flatMap((step) => step.targets))]
  for (const { name, reconciled } of workflow.steps) {
    if (reconciled !== undefined) databases.set(name, databasesOf(await project.findPipeline(reconciled.pipeline)))
  }
  for (const { kind, name, databases: declared = [] } of workflow.steps) {
    if (kind === 'task') databases.set(name, { sources: [], targets, declared })
  }
  return databases
}

function databasesOf(pipeline: Pipeline): StepDatabases {
  return {
    sources: [pipeline.extract.source.database.name],
    targets: [pipeline.load.target.database.name],
    declared: [],
  }
}
