import { ConfigurationError } from '#dray/errors.ts'
import { lambdaTimeoutSeconds } from './task-policy.ts'
import type { Workflow, WorkflowStep } from './workflow.ts'

/** What a placeholder of a definition stands for. */
export interface FunctionReference {
  /** Written `${placeholder}` in the definition. */
  readonly placeholder: string
  /** The file that exports the handler, relative to the project's root. */
  readonly handler: string
  /** The timeout that the Lambda should have; its state waits a little longer. */
  readonly timeoutSeconds: number
}

export type Stage = 'extract' | 'transform' | 'load' | 'run'
export type ControlStage = 'plan' | 'commit' | 'tables' | 'gather' | 'reconcile' | 'outcome' | 'finish'
export type Machine = 'machine' | 'table-machine'

/** What machines are made for. */
export interface MachineUnit {
  readonly kind: 'pipeline' | 'replica'
  readonly name: string
}

/** `CustomersExtract` for the stage `extract` of the step `customers`; `CustomersMachine` for its machine. */
export function placeholderOf(name: string, stage: Stage | ControlStage | Machine): string {
  return [...name.split('-'), ...stage.split('-')].map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

/** As a definition has it. */
export function written(placeholder: string): string {
  return `\${${placeholder}}`
}

/**
 * Every function that a workflow's definition names. Throws `Configuration` when two names of its machines would be the
 * same.
 */
export function functionsOf(workflow: Workflow): readonly FunctionReference[] {
  const units = unitsOf(workflow)
  const stages = units.flatMap(functionsOfUnit)
  const tasks = workflow.steps.filter(({ kind }) => kind === 'task').map(({ name }) => referenceTo(name, 'run'))
  const compares = workflow.steps.some(({ kind }) => kind === 'reconcile')
  const control = [
    ...(compares ? [referenceTo('dray', 'reconcile')] : []),
    ...(units.length > 0 ? [referenceTo('dray', 'outcome')] : []),
    referenceTo('dray', 'finish'),
  ]
  const named = new Map<string, string>()
  const machines = units.flatMap((unit) =>
    machinesOf(unit).map((machine) => ({
      placeholder: placeholderOf(unit.name, machine),
      handler: `the ${machine.replace('-', ' ')} of ${unit.name}`,
    })),
  )
  for (const { placeholder, handler } of [...stages, ...tasks, ...control, ...machines]) {
    const other = named.get(placeholder) ?? handler
    if (other !== handler) {
      throw new ConfigurationError(
        `Workflow ${workflow.name}: ${other} and ${handler} would both be called ${placeholder}, so one could run instead of the other; rename one of the steps.`,
      )
    }
    named.set(placeholder, handler)
  }
  return [...tasks, ...control]
}

/** Every function that the machines of a unit name. */
export function functionsOfUnit(unit: MachineUnit): readonly FunctionReference[] {
  return unit.kind === 'replica'
    ? [...functionsOfPipeline(unit.name), ...functionsOfReplica()]
    : functionsOfPipeline(unit.name)
}

/** A replica has a machine for all of its tables, and one that works on a table. */
export function machinesOf({ kind }: MachineUnit): readonly Machine[] {
  return kind === 'replica' ? ['machine', 'table-machine'] : ['machine']
}

/** Every function that the definition of a pipeline's machine names. */
export function functionsOfPipeline(name: string): readonly FunctionReference[] {
  const stages = (['extract', 'transform', 'load'] as const).map((stage) => referenceTo(name, stage))
  const control = (['plan', 'commit', 'outcome', 'finish'] as const).map((stage) => referenceTo('dray', stage))
  return [...stages, ...control]
}

/** Every function that the definition of a replica's own machine names. */
export function functionsOfReplica(): readonly FunctionReference[] {
  return (['tables', 'gather', 'outcome', 'finish'] as const).map((stage) => referenceTo('dray', stage))
}

/** The pipelines and replicas that a workflow runs, whole or a table of them. */
export function unitsOf({ steps }: Pick<Workflow, 'steps'>): readonly MachineUnit[] {
  const units = steps.flatMap(({ kind, name, of = name }): MachineUnit[] => {
    if (kind === 'task' || kind === 'reconcile') return []
    return [kind === 'pipeline' ? { kind, name } : { kind: 'replica', name: of }]
  })
  return [...new Map(units.map((unit) => [unit.name, unit])).values()]
}

/** Those of several workflows, each once. */
export function allUnitsOf(workflows: readonly Pick<Workflow, 'steps'>[]): readonly MachineUnit[] {
  return [...new Map(workflows.flatMap(unitsOf).map((unit) => [unit.name, unit])).values()]
}

/** The placeholder of the machine that a step starts. */
export function machineOfStep({ kind, name, of = name }: Pick<WorkflowStep, 'kind' | 'name' | 'of'>): string {
  return placeholderOf(of, kind === 'table' ? 'table-machine' : 'machine')
}

function referenceTo(name: string, stage: Stage | ControlStage): FunctionReference {
  return {
    placeholder: placeholderOf(name, stage),
    handler: `functions/${name}/${stage}.ts`,
    timeoutSeconds: lambdaTimeoutSeconds[stage],
  }
}
