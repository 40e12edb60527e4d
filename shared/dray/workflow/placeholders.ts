import { ConfigurationError } from '#dray/errors.ts'
import { lambdaTimeoutSeconds } from './task-policy.ts'
import type { Workflow, WorkflowUnit } from './workflow.ts'

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
export type ControlStage = 'plan' | 'commit' | 'finish'

/** `CustomersExtract` for the stage `extract` of the step `customers`. */
export function placeholderOf(name: string, stage: Stage | ControlStage): string {
  return [...name.split('-'), stage].map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

/** Every function that a workflow's definition names. Throws `Configuration` when two would share a placeholder. */
export function functionsOf(workflow: Workflow): readonly FunctionReference[] {
  const hasPipeline = workflow.steps.some((step) => step.kind === 'pipeline')
  const functions = [
    ...workflow.steps.flatMap((step) => stagesOf(step).map((stage) => referenceTo(step.name, stage))),
    ...(hasPipeline ? [referenceTo('dray', 'plan'), referenceTo('dray', 'commit')] : []),
    referenceTo('dray', 'finish'),
  ]
  const handlers = new Map<string, string>()
  for (const { placeholder, handler } of functions) {
    const other = handlers.get(placeholder)
    if (other !== undefined) {
      throw new ConfigurationError(
        `Workflow ${workflow.name}: ${other} and ${handler} would both be called ${placeholder}, so one could run instead of the other; rename one of the steps.`,
      )
    }
    handlers.set(placeholder, handler)
  }
  return functions
}

function stagesOf(unit: WorkflowUnit): readonly Stage[] {
  return unit.kind === 'pipeline' ? ['extract', 'transform', 'load'] : ['run']
}

function referenceTo(name: string, stage: Stage | ControlStage): FunctionReference {
  return {
    placeholder: placeholderOf(name, stage),
    handler: `functions/${name}/${stage}.ts`,
    timeoutSeconds: lambdaTimeoutSeconds[stage],
  }
}
