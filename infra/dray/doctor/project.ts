import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { type Checked, found } from 'dray/internal/database/health.ts'
import type { Task } from 'dray/internal/pipeline/declare/task.ts'
import type { Workflow, WorkflowStep } from 'dray/internal/workflow/workflow.ts'
import { environmentsOf } from '#dray-infra/project/environments.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { databasesOf, type Unit } from '#dray-infra/project/unit-databases.ts'
import { unknownDatabases } from '#dray-infra/project/unknown-databases.ts'
import { examineHandlers, importFault } from './handlers.ts'

export interface ExaminedProject {
  readonly checks: readonly Checked[]
  /** What of a step is wrong, by its name. */
  readonly ofSteps: ReadonlyMap<string, readonly Checked[]>
  /** Those that could be loaded, in the order of the workflows. */
  readonly units: readonly Unit[]
  readonly tasks: readonly Task[]
}

/** What the files of a project say, without a database. */
export async function examineProject(project: LoadedProject): Promise<ExaminedProject> {
  const steps = new Map(project.workflows.flatMap((one) => one.steps).map((step) => [step.name, step]))
  const units = new Map<string, Unit>()
  const tasks: Task[] = []
  const ofSteps = new Map<string, readonly Checked[]>()
  for (const step of steps.values()) {
    const { checks, unit, task } = await examineStep(project, step)
    ofSteps.set(step.name, checks)
    if (task !== undefined) tasks.push(task)
    if (unit !== null) units.set(unit.name, unit)
  }
  const all = [...units.values()]
  const unbound = undeclared(project, all)
  const checks = [
    ...unbound,
    ...(unbound.length > 0 ? [] : environments(project, all)),
    ...unused(project.folder, steps),
    ...circles(project.workflows),
  ]
  const counts = `workflows: ${project.workflows.map(({ name }) => name).join(', ')}; steps: ${[...steps.keys()].join(', ')}`
  return { checks: [found('project', 'ok', counts), ...checks], ofSteps, units: all, tasks }
}

async function examineStep(
  project: LoadedProject,
  step: WorkflowStep,
): Promise<{ readonly checks: readonly Checked[]; readonly unit: Unit | null; readonly task?: Task }> {
  const { kind, name, of = name, reconciled } = step
  if (kind === 'reconcile') return examineComparison(project, reconciled?.pipeline ?? name)
  const handlers = await examineHandlers(project.folder, { kind, name, of })
  if (handlers.some(({ check }) => check === 'folder')) return { checks: handlers, unit: null }
  if (kind === 'task') {
    // What keeps it from being imported, its handler says.
    const task = await project.findTask(name).catch(() => undefined)
    return { checks: handlers, unit: null, ...(task === undefined ? {} : { task }) }
  }
  try {
    const unit = await project.findUnit(step.name)
    return { checks: handlers, unit }
  } catch (error) {
    const file = `functions/${step.of ?? step.name}/pipeline.ts`
    const said = existsSync(join(project.folder, file))
      ? `${file} cannot be used: ${importFault(error)}`
      : `${file} is not there, so ${step.name} cannot be run; write it, or take it out of the workflow`
    return { checks: [...handlers, found('pipeline', 'broken', said)], unit: null }
  }
}

/** Its pipeline is examined where a workflow runs it. */
async function examineComparison(project: LoadedProject, pipeline: string) {
  const isRun = project.workflows.some(({ steps }) =>
    steps.some(({ kind, name }) => kind === 'pipeline' && name === pipeline),
  )
  const said = isRun
    ? found('pipeline', 'ok', `compares the source of ${pipeline} with its target`)
    : found(
        'pipeline',
        'broken',
        `compares the source of ${pipeline} with its target, and no workflow runs ${pipeline}, so rows that are missing would never come; add run(${pipeline}) to the steps of one`,
      )
  return { checks: [said], unit: null }
}

function usersOf(units: readonly Unit[]): Map<string, string> {
  return new Map(units.flatMap((unit) => databasesOf(unit).map((database) => [database, unit.name] as const)))
}

function undeclared({ databases }: LoadedProject, units: readonly Unit[]): Checked[] {
  return [...usersOf(units)].flatMap(([database, unit]) => {
    if (Object.hasOwn(databases, database)) return []
    const said = `${unit} works with the database ${database}, which infra/project.ts does not have, so nothing stands for it on a laptop; add ${database}: { embedded: 'postgres' } to its databases`
    return [found('databases', process.env[urlVariable(database)] ? 'warning' : 'broken', said)]
  })
}

function environments(project: LoadedProject, units: readonly Unit[]): Checked[] {
  try {
    return environmentsOf(project).flatMap((environment) => {
      const said = unknownDatabases(environment, [...usersOf(units).keys()])
      return said === null ? [] : [found('environments', 'broken', said)]
    })
  } catch (error) {
    return [found('environments', 'broken', (error as Error).message)]
  }
}

function unused(folder: string, steps: ReadonlyMap<string, WorkflowStep>): Checked[] {
  const functions = join(folder, 'functions')
  if (!existsSync(functions)) return []
  const names = readdirSync(functions, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const run = new Set([...steps.values()].map(({ name, of = name }) => of))
  const left = names.map(({ name }) => name).filter((name) => name !== 'dray' && !run.has(name))
  return left.sort().flatMap((name) => {
    if (!['pipeline.ts', 'task.ts'].some((file) => existsSync(join(functions, name, file)))) return []
    const said = `no workflow runs functions/${name}, so it never runs; add run(${name}) to the steps of one, or remove the folder`
    return [found('folder', 'warning', said)]
  })
}

/** Workflows that start each other by their ends. */
function circles(workflows: readonly Workflow[]): Checked[] {
  const next = new Map(
    workflows.map(({ name }) => [
      name,
      workflows
        .filter(({ events }) =>
          events.some(({ source, detailType }) => source === `dray.${name}` && /^Workflow(Comp|F)/.test(detailType)),
        )
        .map((one) => one.name),
    ]),
  )
  const reaches = (from: string, goal: string, seen: ReadonlySet<string> = new Set()): boolean =>
    (next.get(from) ?? []).some(
      (one) => one === goal || (!seen.has(one) && reaches(one, goal, new Set([...seen, one]))),
    )
  const inCircle = workflows.map(({ name }) => name).filter((name) => reaches(name, name))
  if (inCircle.length === 0) return []
  const said = `the workflows ${inCircle.join(', ')} start each other when they end, so after one round each start is refused; take one of the events out of \`on\``
  return [found('events', 'broken', said)]
}
