import { createHash } from 'node:crypto'
import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import { stackNameOf } from './stack-outputs.ts'

/** Of a function or a role. */
const LONGEST = 64

/** `ap-southeast-1`, and a line before it. */
const LONGEST_REGION = 16

/**
 * The name of something that an environment has: `Dray-prod_orders_extract`. It is computed, so that stacks need not
 * hand it to each other. No environment, pipeline or workflow has `_` in its name: what is called otherwise is called
 * otherwise here, too, and `patternOf` one environment fits no name of another.
 */
export function nameOf(environment: string, ...parts: readonly string[]): string {
  return fitted([stackNameOf(environment), ...parts].join('_'), LONGEST)
}

/** Every name of an environment, as a grant writes it. */
export function patternOf(environment: string): string {
  return `${stackNameOf(environment)}_*`
}

/** A role, or a policy, is known in all regions of an account: `Dray-prod_load-warehouse_eu-north-1`. */
export function roleNameOf(environment: string, role: string, region: string): string {
  return `${fitted([stackNameOf(environment), role].join('_'), LONGEST - LONGEST_REGION)}_${region}`
}

/** Too long a name is cut, and tells itself from others by a hash. */
function fitted(name: string, longest: number): string {
  if (name.length <= longest) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  return `${name.slice(0, longest - hash.length - 1)}-${hash}`
}

/** The topic of an environment that names none. */
export function topicNameOf(environment: string): string {
  return nameOf(environment, 'notifications')
}

/** Where functions of an environment log: those of a pipeline, of a workflow, or of all (`dray`). */
export const logGroupOf = {
  pipeline: (environment: string, pipeline: string) => `/dray/${environment}/${pipeline}`,
  workflow: (environment: string, workflow: string) => `/dray/${environment}/workflows/${workflow}`,
  control: (environment: string) => `/dray/${environment}/dray`,
  /** The name that keeps a log group out of the account's one policy of logs, which holds 5,120 characters. */
  machines: (environment: string) => `/aws/vendedlogs/states/${stackNameOf(environment)}`,
} as const

/** How the name of each pipeline's state machine ends, and that of no workflow's; a state machine's may have 80. */
export const PIPELINE_ENDING = '_pipeline'

/**
 * The state machine of a pipeline, or of a replica's tables (`sales-raw/*`); of those in the second and later stacks of
 * pipelines with its number.
 */
export function pipelineMachineName(environment: string, machine: string, stack: number): string {
  const parts = isTableStep(machine) ? [unitOf(machine), 'table'] : [machine]
  return `${nameOf(environment, ...numbered(stack), ...parts)}${PIPELINE_ENDING}`
}

export function pipelineFunctionName(environment: string, pipeline: string, stage: string, stack: number): string {
  return nameOf(environment, ...numbered(stack), pipeline, stage)
}

/** Of a function that every pipeline of a stack uses, or every workflow. */
export function controlFunctionName(environment: string, stage: string, stack: number | 'workflows'): string {
  return nameOf(environment, ...(stack === 'workflows' ? [stack] : numbered(stack)), 'dray', stage)
}

/** Of the one that looks at tables for `dray schema`. */
export function schemaFunctionName(environment: string): string {
  return controlFunctionName(environment, 'schema', 'workflows')
}

export function workflowMachineName(environment: string, workflow: string): string {
  return `${nameOf(environment, workflow)}_workflow`
}

/** Of `start` or `janitor`, or of a task with its stage `run`. */
export function workflowFunctionName(environment: string, workflow: string, ...parts: readonly string[]): string {
  return nameOf(environment, workflow, 'workflow', ...parts)
}

function numbered(stack: number): string[] {
  return stack === 1 ? [] : [String(stack)]
}

/** Of a stack whose operations may change 2,500 resources; half as many again may fall into one by their hashes. */
const PIPELINES_A_STACK = 130

/**
 * The number of the stack of each pipeline, from 1, by a hash of its name: a pipeline that is added moves no other one,
 * until there are so many that twice as many stacks are needed.
 */
export function stacksOfPipelines(pipelines: readonly string[]): ReadonlyMap<string, number> {
  let stacks = 1
  while (pipelines.length > stacks * PIPELINES_A_STACK) stacks *= 2
  return new Map(pipelines.map((name) => [name, 1 + (hashOf(name) % stacks)]))
}

function hashOf(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32BE()
}
