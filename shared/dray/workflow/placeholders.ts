import { ConfigurationError } from '#dray/errors.ts'
import { lambdaTimeoutSeconds } from './task-policy.ts'
import type { Workflow } from './workflow.ts'

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
export type ControlStage = 'plan' | 'commit' | 'reconcile' | 'outcome' | 'finish'

/** `CustomersExtract` for the stage `extract` of the step `customers`; `CustomersMachine` for its machine. */
export function placeholderOf(name: string, stage: Stage | ControlStage | 'machine'): string {
  return [...name.split('-'), stage].map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
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
  const pipelines = pipelinesOf(workflow)
  const stages = pipelines.flatMap((name) => functionsOfPipeline(name))
  const tasks = workflow.steps.filter(({ kind }) => kind === 'task').map(({ name }) => referenceTo(name, 'run'))
  const compares = workflow.steps.some(({ kind }) => kind === 'reconcile')
  const control = [
    ...(compares ? [referenceTo('dray', 'reconcile')] : []),
    ...(pipelines.length > 0 ? [referenceTo('dray', 'outcome')] : []),
    referenceTo('dray', 'finish'),
  ]
  const named = new Map<string, string>()
  const machines = pipelines.map((name) => ({
    placeholder: placeholderOf(name, 'machine'),
    handler: `the machine of ${name}`,
  }))
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

/** Every function that the definition of a pipeline's machine names. */
export function functionsOfPipeline(name: string): readonly FunctionReference[] {
  const stages = (['extract', 'transform', 'load'] as const).map((stage) => referenceTo(name, stage))
  const control = (['plan', 'commit', 'outcome', 'finish'] as const).map((stage) => referenceTo('dray', stage))
  return [...stages, ...control]
}

/** The pipelines that a workflow runs. */
export function pipelinesOf({ steps }: Pick<Workflow, 'steps'>): readonly string[] {
  return steps.filter(({ kind }) => kind === 'pipeline').map(({ name }) => name)
}

/** Those of several workflows, each once. */
export function allPipelinesOf(workflows: readonly Pick<Workflow, 'steps'>[]): readonly string[] {
  return [...new Set(workflows.flatMap((workflow) => pipelinesOf(workflow)))]
}

function referenceTo(name: string, stage: Stage | ControlStage): FunctionReference {
  return {
    placeholder: placeholderOf(name, stage),
    handler: `functions/${name}/${stage}.ts`,
    timeoutSeconds: lambdaTimeoutSeconds[stage],
  }
}
