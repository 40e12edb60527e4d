import { ConfigurationError } from 'dray/internal/errors.ts'
import { areInTheWay } from 'dray/internal/pipeline/declare/shared-tables.ts'
import type { Workflow } from 'dray/workflow'
import type { EnvironmentOptions } from './environment.ts'

/** The engines that come with Dray, for databases that have no URL on a laptop. */
export type EmbeddedEngine = 'sqlite' | 'postgres'

export interface ProjectDatabase {
  /** The engine that stands for the database on a laptop where `<NAME>_DATABASE_URL` is not set. */
  readonly embedded: EmbeddedEngine
}

/** What demo data is prepared with. The URLs of all databases are in the environment, `<NAME>_DATABASE_URL`. */
export interface DemoContext {
  /** The folder that the local servers keep their data in; demo data may note there what it has done. */
  readonly home: string
  /** Databases that Dray brought itself; others hold data of somebody, and are never written to. */
  readonly embedded: ReadonlySet<string>
  /** `last_run` of a pipeline, UTC text; null before its first run. */
  lastRun(pipeline: string): Promise<string | null>
  /** Prints a line for the person who waits. */
  note(text: string): void
  readonly signal: AbortSignal
}

export interface ProjectOptions {
  /** Every workflow there is: what the command offers and the stacks deploy. */
  readonly workflows: readonly Workflow[]
  /** Where the project is deployed, by name: `npx dray deploy dev`. */
  readonly environments: Readonly<Record<string, EnvironmentOptions>>
  /** Every database that a model names, in kebab-case. */
  readonly databases: Readonly<Record<string, ProjectDatabase>>
  /** What `npm start`, and `dray run` without a name, runs. */
  readonly main: Workflow
  /** Fills the embedded databases before `dray run --demo`; later calls may change them. */
  readonly demo?: (context: DemoContext) => Promise<void>
}

export interface Project extends ProjectOptions {
  readonly kind: 'project'
}

const KEBAB_CASE = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

/**
 * Declares the project; `infra/project.ts` exports it as `project`. Throws `Configuration` for names that cannot be
 * told apart.
 *
 * @example
 * export const project = defineProject({
 *   workflows: [nightly],
 *   environments,
 *   databases: { shop: { embedded: 'sqlite' }, lake: { embedded: 'postgres' } },
 *   main: nightly,
 * })
 */
export function defineProject(options: ProjectOptions): Project {
  const faults = [...workflowFaults(options), ...databaseFaults(options), ...writerFaults(options)]
  if (faults.length === 0) return { kind: 'project', ...options }
  throw new ConfigurationError(`infra/project.ts: ${faults.join('; ')}. Correct it; nothing was done.`)
}

function workflowFaults({ workflows, main }: ProjectOptions): string[] {
  const names = workflows.map(({ name }) => name)
  const twice = names.filter((name, place) => names.indexOf(name) !== place)
  const [first] = twice
  return [
    ...(first === undefined ? [] : [`two workflows are named ${first}`]),
    ...mainFaults(main, names),
    ...stepFaults(workflows),
  ]
}

/** A pipeline or a task that is named as a comparison in another workflow. */
function stepFaults(workflows: readonly Workflow[]): string[] {
  const steps = workflows.flatMap((one) => one.steps)
  const comparisons = new Set(steps.flatMap(({ kind, name }) => (kind === 'reconcile' ? [name] : [])))
  const others = new Set(
    steps.flatMap(({ kind, name }) => (kind !== 'reconcile' && comparisons.has(name) ? [name] : [])),
  )
  return [...others].map(
    (name) =>
      `${name} is a step that compares a pipeline's tables, and the ${steps.find((step) => step.name === name && step.kind !== 'reconcile')?.kind} in functions/${name} has the same name; rename that`,
  )
}

/** The compiler says so, too, of code that it has seen. */
function mainFaults(main: Workflow | undefined, names: readonly string[]): string[] {
  if (main === undefined) return ['it has no main, the workflow that `npm start` runs']
  return names.includes(main.name) ? [] : [`main is ${main.name}, which is not among the workflows`]
}

function databaseFaults({ databases }: ProjectOptions): string[] {
  const engines: readonly string[] = ['sqlite', 'postgres'] satisfies readonly EmbeddedEngine[]
  return Object.entries(databases).flatMap(([name, { embedded }]) => [
    ...(KEBAB_CASE.test(name) ? [] : [`the database ${JSON.stringify(name)} is not named in kebab-case`]),
    ...(engines.includes(embedded)
      ? []
      : [
          `${name} is embedded as ${JSON.stringify(embedded)}, and the engines that come with Dray are ${engines.join(', ')}; where it is another one, its URL says so`,
        ]),
  ])
}

/** Pipelines of one table, where one of them touches rows that it has not loaded. */
function writerFaults({ workflows }: ProjectOptions): string[] {
  const steps = new Map(workflows.flatMap((one) => one.steps).map((step) => [step.name, step]))
  const writers = [...steps.values()].flatMap(({ name, written }) =>
    written === undefined ? [] : [{ name, ...written }],
  )
  return writers.flatMap((one, place) => {
    const other = writers
      .slice(place + 1)
      .find((next) => next.database === one.database && next.table === one.table && areInTheWay(one, next))
    if (other === undefined) return []
    const because = one.alone === null ? `${other.name} ${other.alone}` : `${one.name} ${one.alone}`
    return [
      `the pipelines ${one.name} and ${other.name} write ${one.database}.${one.table}, and ${because}, so each would undo what the other has loaded; give each its own table, or say which rows are whose: deletes: { where: { … } } in both of them`,
    ]
  })
}
