import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { type AskedSteps, stepsNamed } from '#dray-infra/runs/asked-steps.ts'

/** The names of all pipelines that a workflow runs. */
export async function pipelineNames(): Promise<string[]> {
  const { workflows } = await loadProject()
  const steps = workflows.flatMap((one) => one.steps).filter(({ kind }) => kind === 'pipeline')
  return [...new Set(steps.map(({ name }) => name))]
}

/** The pipeline of a name. Throws `Configuration` with the names there are. */
export async function pipelineNamed(name: string): Promise<Pipeline> {
  const names = await pipelineNames()
  if (names.includes(name)) return (await loadProject()).findPipeline(name)
  throw new ConfigurationError(`There is no pipeline ${name}, so nothing was done; there are ${names.join(', ')}.`)
}

/** This pipeline alone, in the first workflow that has it or in the one called `of`. */
export async function pipelineAlone(name: string, of?: string): Promise<AskedSteps> {
  await pipelineNamed(name)
  return stepsNamed(name, of)
}

/** The databases that a pipeline reads and writes. */
export function databasesOf({ extract, load }: Pipeline): string[] {
  return [...new Set([extract.source.definition.database, load.target.definition.database])]
}
