import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { SqlTask, Task } from 'dray/internal/pipeline/declare/task.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { databasesOf, type Unit } from '#dray-infra/project/unit-databases.ts'
import type { OpenEnvironment } from '#dray-infra/remote/open-environment.ts'
import type { Stores } from '#dray-infra/runs/stores.ts'
import type { CommonOptions } from './verb.ts'

/** Where the verbs work: `local`, or the name of a deployed environment. */
export type Where = Pick<CommonOptions, 'env'>

export function isLocal({ env }: Where): boolean {
  return env === 'local'
}

/** Throws `Configuration` when an environment is named to a verb, or an option, that has no meaning there. */
export function requireLocal({ env }: Where, what: string): void {
  if (env === 'local') return
  throw new ConfigurationError(`${what} works on this machine only, so nothing was done in ${env}; leave --env out.`)
}

/** A command of Dray that works in the same place, as it can be pasted into a shell in the project's folder. */
export function commandFor({ env }: Where, command: string): string {
  return `npx ${command}${env === 'local' ? '' : ` --env ${env}`}`
}

/** Lends the state and the staging, with the local services up for as long, or the environment open. */
export async function withStores<T>(options: Where, work: (stores: Stores) => Promise<T>): Promise<T> {
  if (!isLocal(options)) return withRemote(options, work)
  return withLocalServices([], work)
}

/** Has all databases of the project up, on this machine; gives back what lets them go. */
export async function startAllDatabases(): Promise<() => Promise<void>> {
  const { drayHome } = await import('#dray-infra/local/home.ts')
  const { startServices } = await import('#dray-infra/local/services.ts')
  const services = await startServices({ home: drayHome(), project: await loadProject(), state: false })
  return () => services.stop()
}

/** Lends a deployed environment. Throws `Configuration` when there is none of that name, or it cannot be reached. */
export async function withRemote<T>({ env }: Where, work: (environment: OpenEnvironment) => Promise<T>): Promise<T> {
  const { withEnvironment } = await import('#dray-infra/remote/open-environment.ts')
  return withEnvironment(env, work)
}

/** Lends a pipeline and what its steps work with, databases and all; for verbs that run in this process. */
export async function withPipeline<T>(
  options: Where,
  name: string,
  work: (pipeline: Pipeline, services: Services) => Promise<T>,
): Promise<T> {
  const { pipelineNamed, refuseWhole, unitNamed } = await import('./pipelines.ts')
  refuseWhole(await unitNamed(name), name)
  return withUnit(options, name, async (unit, services) =>
    work(unit.kind === 'pipeline' ? unit : await pipelineNamed(name), services),
  )
}

/** The same of what the name's folder declares: a pipeline, or a replica. */
export function withUnit<T>(
  options: Where,
  name: string,
  work: (unit: Unit, services: Services) => Promise<T>,
): Promise<T> {
  return withFound(
    options,
    async () => {
      const { unitNamed } = await import('./pipelines.ts')
      const unit = await unitNamed(name)
      return { found: unit, databases: databasesOf(unit) }
    },
    work,
  )
}

/** The same of a task that is a SELECT; null for any other name. */
export async function withSqlTask<T>(
  options: Where,
  name: string,
  work: (task: SqlTask, services: Services) => Promise<T>,
): Promise<T | null> {
  const { sqlTaskNamed } = await import('./pipelines.ts')
  const task = await sqlTaskNamed(name)
  return task === null ? null : withFound(options, async () => ({ found: task, databases: task.databases }), work)
}

/** The same of a task. */
export function withTask<T>(
  options: Where,
  name: string,
  work: (task: Task, services: Services) => Promise<T>,
): Promise<T> {
  return withFound(
    options,
    async () => {
      const { taskNamed } = await import('./pipelines.ts')
      const task = await taskNamed(name)
      return { found: task, databases: task.databases }
    },
    work,
  )
}

/** Finds what is asked for, with the names of its databases. */
type Find<U> = () => Promise<{ readonly found: U; readonly databases: readonly string[] }>

async function withFound<U, T>(
  options: Where,
  find: Find<U>,
  work: (found: U, services: Services) => Promise<T>,
): Promise<T> {
  const { localRunner } = await import('#dray-infra/runs/run-lock.ts')
  const { closeDatabases } = await import('dray/internal/active-record/database.ts')
  const { listenForInterrupts } = await import('./interrupts.ts')
  const interrupts = listenForInterrupts()
  const inStores = (found: U) => async (stores: Stores) => {
    try {
      return await work(found, {
        state: stores.state,
        staging: stores.staging,
        signal: interrupts.signal,
        now: Date.now,
        log: { info: () => {}, warn: () => {} },
        progress: () => {},
        runner: localRunner(),
      })
    } finally {
      await closeDatabases()
    }
  }
  try {
    if (!isLocal(options)) return await withRemoteFound(options, find, inStores)
    const { found, databases } = await find()
    return await withLocalServices(databases, inStores(found))
  } finally {
    interrupts.stop()
  }
}

async function withRemoteFound<U, T>(
  options: Where,
  find: Find<U>,
  inStores: (found: U) => (stores: Stores) => Promise<T>,
): Promise<T> {
  const { bindSecrets, bindTokens, unreachableFromHere } = await import('#dray-infra/remote/databases.ts')
  const { environmentNamed } = await import('#dray-infra/project/environments.ts')
  const settings = environmentNamed(options.env, await loadProject())
  bindTokens(settings)
  const { found, databases } = await find()
  return withRemote(options, async (environment) => {
    await bindSecrets(settings, databases)
    return inStores(found)(environment).catch((error: unknown) => {
      throw unreachableFromHere(error, options.env)
    })
  })
}

async function withLocalServices<T>(databases: readonly string[], work: (stores: Stores) => Promise<T>): Promise<T> {
  const { drayHome } = await import('#dray-infra/local/home.ts')
  const { startServices } = await import('#dray-infra/local/services.ts')
  const services = await startServices({ home: drayHome(), project: await loadProject(), databases })
  try {
    return await work(await localStores())
  } finally {
    await services.stop()
  }
}

/** The stores of the local services, which have to be up. */
export async function localStores(): Promise<Stores> {
  const { localStores: open } = await import('#dray-infra/runs/local-stores.ts')
  return open()
}
