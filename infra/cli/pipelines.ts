import { findPipeline } from '#functions/control/find-pipeline.ts'
import { ConfigurationError } from '#shared/active-record/errors.ts'
import type { Pipeline } from '#shared/pipeline/index.ts'
import { run, type Workflow, workflow } from '#shared/workflow/index.ts'

/** The names of all pipelines that a workflow runs. */
export async function pipelineNames(): Promise<string[]> {
  const { workflows } = await import('#infra/workflows/index.ts')
  const steps = workflows.flatMap((one) => one.steps).filter(({ kind }) => kind === 'pipeline')
  return [...new Set(steps.map(({ name }) => name))]
}

/** The pipeline of a name. Throws `Configuration` with the names there are. */
export async function pipelineNamed(name: string): Promise<Pipeline> {
  const names = await pipelineNames()
  if (names.includes(name)) return findPipeline(name)
  throw new ConfigurationError(`There is no pipeline ${name}, so nothing was done; there are ${names.join(', ')}.`)
}

/** A workflow of this pipeline alone. */
export async function workflowOf(name: string): Promise<Workflow> {
  await pipelineNamed(name)
  return workflow(name, { steps: [run({ kind: 'pipeline', name })] })
}

/** The databases that a pipeline reads and writes. */
export function databasesOf({ extract, load }: Pipeline): string[] {
  return [...new Set([extract.source.definition.database, load.target.definition.database])]
}
