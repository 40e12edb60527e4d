import { closeDatabases } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { type Checked, found } from 'dray/internal/database/health.ts'
import type { PipelineSurroundings } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { startServices } from '#dray-infra/local/services.ts'
import type { EnvFile } from '#dray-infra/project/env-file.ts'
import { type LoadedProject, loadProject } from '#dray-infra/project/load-project.ts'
import { localRunner } from '#dray-infra/runs/run-lock.ts'
import type { Stores } from '#dray-infra/runs/stores.ts'
import { databaseNames, examineDatabases } from './databases.ts'
import type { Diagnosis, Section } from './diagnosis.ts'
import { importFault } from './handlers.ts'
import { examineMachine } from './machine.ts'
import { examinePipelines } from './pipelines.ts'
import { type ExaminedProject, examineProject } from './project.ts'
import { examineReplicas } from './replicas.ts'
import { examineTasks } from './tasks.ts'

export interface DoctorOptions {
  readonly home: string
  /** Of the project; the one at work unless given. */
  readonly folder?: string
  readonly envFile: EnvFile | null
  /** Those of the local services, once they are up. */
  readonly openStores: () => Promise<Stores>
  readonly signal: AbortSignal
  readonly now?: () => number
}

/**
 * Looks at all that a run on this machine needs: nothing is changed but that local services are up meanwhile. Never
 * throws for what it finds.
 */
export async function examineHere(options: DoctorOptions): Promise<Diagnosis> {
  const start = performance.now()
  const machine = { subject: 'machine', checks: examineMachine(options.home, options.envFile) }
  const sections = [machine, ...(await examineLoaded(options))]
  return { environment: 'local', sections, seconds: (performance.now() - start) / 1000 }
}

async function examineLoaded(options: DoctorOptions): Promise<readonly Section[]> {
  const project = await loaded(options.folder)
  if ('check' in project) return [{ subject: 'project', checks: [project] }]
  const examined = await examineProject(project)
  const names = databaseNames(Object.keys(project.databases), examined.units)
  const here = await localServices(project, names, options)
  try {
    const own = here.fault === null ? [] : [here.fault]
    const rest = await examineWork(project, examined, { names, services: here.services, isHere: true }, options)
    return [{ subject: 'project', checks: [...examined.checks, ...own] }, ...rest]
  } finally {
    await closeDatabases()
    await here.stop()
  }
}

/** The project, or why it cannot be loaded. */
export async function loaded(folder?: string): Promise<LoadedProject | Checked> {
  try {
    return await loadProject(folder)
  } catch (error) {
    const isOurs = (error as Error).name === 'Configuration'
    const said = isOurs
      ? (error as Error).message
      : `infra/project.ts cannot be loaded, so nothing of the project can be run: ${importFault(error)}; correct the file that it names`
    return found('project', 'broken', said)
  }
}

interface Here {
  readonly services: Services | null
  readonly fault: Checked | null
  stop(): Promise<void>
}

/** Those databases that have a URL are asked by `examineDatabases`, which says what is wrong with it. */
async function localServices(
  project: LoadedProject,
  names: readonly string[],
  { home, openStores, signal, now = Date.now }: DoctorOptions,
): Promise<Here> {
  const embedded = names.filter((name) => !process.env[urlVariable(name)])
  try {
    const services = await startServices({ home, project, databases: embedded })
    const stores = await openStores()
    const stop = async () => {
      await services.stop()
      for (const name of services.embedded) delete process.env[urlVariable(name)]
    }
    return { services: servicesOf({ ...stores, signal, now }), fault: null, stop }
  } catch (error) {
    return { services: null, fault: found('local services', 'broken', (error as Error).message), stop: async () => {} }
  }
}

/** What a check gives to Plan's functions. */
export function servicesOf(stores: Pick<Services, 'state' | 'staging' | 'signal' | 'now'>): Services {
  return { ...stores, log: { info: () => {}, warn: () => {} }, progress: () => {}, runner: localRunner() }
}

interface Work {
  readonly names: readonly string[]
  readonly services: Services | null
  readonly isHere: boolean
}

/** The databases, all at once, and then the pipelines. */
export async function examineWork(
  { workflows }: LoadedProject,
  { units, tasks, ofSteps }: ExaminedProject,
  { names, services, isHere }: Work,
  { now, signal }: Pick<DoctorOptions, 'now' | 'signal'>,
): Promise<readonly Section[]> {
  const databases = await examineDatabases(names, { workflows, units, isHere }, now)
  const surroundings: PipelineSurroundings = {
    isConnected: (name) => databases.get(name)?.isConnected === true,
    services,
    makesTargets: isHere,
  }
  const pipelines = units.filter((unit) => unit.kind === 'pipeline')
  const usable = pipelines.filter(({ name }) => !ofSteps.get(name)?.some(({ check }) => check === 'by'))
  const examined = await examinePipelines(usable, surroundings)
  const replicas = await examineReplicas(
    units.filter((unit) => unit.kind === 'replica'),
    surroundings,
    signal,
  )
  const ofTasks = await examineTasks(tasks, surroundings)
  return [
    ...[...databases].map(([name, { checks }]) => ({ subject: `database ${name}`, checks })),
    ...[...ofSteps].map(([name, checks]) =>
      section(name, [...checks, ...(ofTasks.get(name) ?? [])], examined.get(name), replicas.get(name)),
    ),
    // Those of which a workflow runs single tables.
    ...[...replicas].flatMap(([name, checks]) => (ofSteps.has(name) ? [] : [{ subject: `replica ${name}`, checks }])),
  ]
}

function section(
  name: string,
  own: readonly Checked[],
  examined: readonly Checked[] | undefined,
  ofReplica: readonly Checked[] | undefined,
): Section {
  if (ofReplica !== undefined) return { subject: `replica ${name}`, checks: [...own, ...ofReplica] }
  if (examined !== undefined) return { subject: `pipeline ${name}`, checks: [...own, ...examined] }
  const checks = own.length > 0 ? own : [found('handler', 'ok', 'its handlers can be imported')]
  return { subject: `step ${name}`, checks }
}
