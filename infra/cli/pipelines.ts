import { findPipeline } from '#functions/control/find-pipeline.ts'
import { ConfigurationError } from '#shared/active-record/errors.ts'
import type { Pipeline, Services } from '#shared/pipeline/index.ts'
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

/** Lends what the steps of a pipeline work with, with the local services up for as long; for verbs that run in this process. */
export async function withServices<T>(
  databases: readonly string[] | undefined,
  work: (services: Services) => Promise<T>,
): Promise<T> {
  const { drayHome } = await import('#infra/local/home.ts')
  const { startServices } = await import('#infra/local/services.ts')
  const { openState } = await import('#infra/local/state.ts')
  const { localRunner } = await import('#infra/local/settle-run.ts')
  const { createStagingStore } = await import('#shared/staging/staging-url.ts')
  const { closeDatabases } = await import('#shared/active-record/database.ts')
  const { listenForInterrupts } = await import('./interrupts.ts')
  const interrupts = listenForInterrupts()
  const services = await startServices({ home: drayHome(), ...(databases === undefined ? {} : { databases }) })
  try {
    return await work({
      state: await openState(),
      staging: await createStagingStore(process.env.STAGING_URL ?? ''),
      signal: interrupts.signal,
      now: Date.now,
      log: { info: () => {}, warn: () => {} },
      progress: () => {},
      runner: localRunner(),
    })
  } finally {
    await closeDatabases()
    await services.stop()
    interrupts.stop()
  }
}

/** The databases that a pipeline reads and writes. */
export function databasesOf({ extract, load }: Pipeline): string[] {
  return [...new Set([extract.source.definition.database, load.target.definition.database])]
}
