import * as z from 'zod'
import type { Message, Written } from './message.ts'
import { runMode } from './run-mode.ts'
import { givenRun } from './run-reference.ts'

/** What of an entity has changed: the rows of these keys, and whatever has in the window. */
const changedEntity = z.strictObject({
  /** `all` when they are too many to be named. */
  keys: z.union([z.array(z.string()), z.literal('all')]),
  /** From its start until before its end, ISO 8601. */
  window: z.union([z.strictObject({ from: z.string(), to: z.string() }), z.null()]),
})

/** What events say has changed, by `<source>/<entity>`. */
export const changedEntities = z.record(z.string(), changedEntity).meta({
  description: 'an object such as {"shop/orders": {"keys": ["1001"], "window": null}}',
})

/** A run that led to an event. */
export const cause = z.strictObject({ workflow: z.string(), run: z.string() })

/**
 * The input of an execution: what a run of a workflow is asked to do. The state machine checks it before any step runs.
 */
export const runInput = z.strictObject({
  /** What a person notes; the console of Step Functions proposes one. */
  Comment: z.string().optional(),
  /** `manual`, `schedule`, `event:EntityUpdated`, `follow-up`, …; several are joined by commas. */
  trigger: z.string().default('manual'),
  /** The steps to run, of those that the workflow has; the others are left out. All of them when it is not said. */
  only: z.array(z.string()).min(1).meta({ description: 'a list of steps of the workflow' }).optional(),
  /** Of replicas among these steps only these tables, `sales-raw/orders`; all of them when it is not said. */
  tables: z.array(z.string()).min(1).meta({ description: 'a list of tables of replicas' }).optional(),
  mode: runMode.optional(),
  /** Ids of the events that asked for the run, each unique among all senders. */
  events: z.array(z.string()).meta({ description: 'a list of strings' }).optional(),
  entities: changedEntities.optional(),
  /** The runs that led to the events, oldest first. */
  causation: z.array(cause).meta({ description: 'a list of {"workflow", "run"}' }).optional(),
})

/**
 * What asks for a run of a workflow, a tick of a schedule or events that came close together: the input of the run, in
 * full.
 */
export const runRequest = runInput.omit({ Comment: true }).required({ events: true, entities: true, causation: true })

/**
 * The input of an execution of a pipeline's machine: what a workflow's machine gives it, or a person who starts it by
 * hand, who gives no `run`.
 */
export const pipelineRunInput = runInput.omit({ events: true, causation: true, tables: true }).extend({
  /** The run that the execution is a part of; it bears its name. */
  run: givenRun.meta({ description: 'a run, which a workflow gives: leave it out' }).optional(),
  /** The console of Step Functions links the two executions by it. */
  AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
})

/** The same of a replica's machine. */
export const replicaRunInput = pipelineRunInput.extend({
  tables: runInput.shape.tables,
  /** Tables that are separate steps. */
  except: z.array(z.string()).meta({ description: 'a list of tables that are left out' }).optional(),
})

/** The same of the machine that works on one table of a replica. */
export const tableRunInput = pipelineRunInput.extend({
  pipeline: z.string().min(1).meta({ description: 'a table, such as "sales-raw/orders"' }),
})

export type ChangedEntity = Message<typeof changedEntity>
export type Cause = Message<typeof cause>
export type RunInput = Written<typeof runInput>
export type RunRequest = Message<typeof runRequest>
export type PipelineRunInput = Written<typeof pipelineRunInput>

/**
 * The newest run of each workflow, oldest first: that one workflow ends many times while another run is on makes no
 * chain. Which workflows led to an event is all that is asked of it.
 */
export function newestCauses(causes: readonly Cause[]): Cause[] {
  const newest = new Map<string, Cause>()
  for (const cause of causes) {
    newest.delete(cause.workflow)
    newest.set(cause.workflow, cause)
  }
  return [...newest.values()]
}

/** The input of a workflow that has these steps. */
export function runInputOf(steps: readonly string[]) {
  const only = z
    .array(z.enum(steps))
    .min(1)
    .meta({ description: `a list of steps of the workflow, ${listOf(steps)}` })
  return runInput.extend({ only: only.optional() })
}

/** As a sentence names them. */
export function listOf(names: readonly string[]): string {
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names.join()
}
