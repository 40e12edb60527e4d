import type { Pipeline } from '#shared/pipeline/pipeline.ts'
import type { Workflow } from '#shared/workflow/index.ts'

/** Names of the databases that a step works with. */
export interface StepDatabases {
  readonly sources: readonly string[]
  readonly targets: readonly string[]
}

/**
 * Which databases each step reads and writes: a pipeline those of its models, a task those that the workflow's
 * pipelines write.
 */
export async function databasesOfSteps(workflow: Workflow): Promise<ReadonlyMap<string, StepDatabases>> {
  const databases = new Map<string, StepDatabases>()
  for (const { kind, name } of workflow.steps) {
    if (kind === 'pipeline') databases.set(name, databasesOf(await pipelineNamed(name)))
  }
  const targets = [...new Set([...databases.values()].flatMap((step) => step.targets))]
  for (const { kind, name } of workflow.steps) {
    if (kind === 'task') databases.set(name, { sources: [], targets })
  }
  return databases
}

function databasesOf(pipeline: Pipeline): StepDatabases {
  return { sources: [pipeline.extract.source.database.name], targets: [pipeline.load.target.database.name] }
}

async function pipelineNamed(name: string): Promise<Pipeline> {
  const file = `functions/${name}/pipeline.ts`
  const exports = Object.values((await import(`../../${file}`)) as Record<string, unknown>)
  const found = exports.find((value) => (value as Partial<Pipeline> | null)?.kind === 'pipeline')
  if (!found)
    throw new Error(`${file} exports no pipeline(), so the stack cannot tell which databases its Lambdas need.`)
  return found as Pipeline
}
