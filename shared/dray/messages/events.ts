import * as z from 'zod'
import { checkCounts } from './check-result.ts'
import type { Message } from './message.ts'
import { cause, newestCauses } from './run-input.ts'

/* What workflows and other systems tell each other; docs/events.md explains it to its senders. */

/** Of a chain of more workflows the newest count: a circle of so many is not seen. */
const MOST_WORKFLOWS = 128
const MOST_KEYS = 1000
/** https://tc39.es/ecma262/#sec-time-values-and-time-range */
const LAST_MS = 8.64e15

const id = z.string().min(1).max(128)
const instant = z.iso.datetime({ offset: true })
const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,99}$/)
/** The runs that led to an event, oldest first; of each workflow the newest one counts. */
const causation = z
  .array(
    cause.strip().refine(({ workflow, run }) => [workflow, run].every(({ length }) => length >= 1 && length <= 100), {
      error: 'has to name a workflow and a run by 1 to 100 characters',
    }),
  )
  .transform((causes) => newestCauses(causes).slice(-MOST_WORKFLOWS))
  .default([])

/** The detail of `EntityUpdated`. */
export const entityUpdated = z
  .object({
    version: z.literal(1),
    /** The same in each delivery of one update, and of no other. */
    id,
    /** What was updated, e.g. `orders`. */
    entity: name,
    /** The system that holds it, e.g. `shop`. */
    source: name,
    window: z.object({ from: instant, to: instant }).optional(),
    keys: z
      .array(z.union([z.string().min(1).max(200), z.int().transform(String)]))
      .min(1)
      .max(MOST_KEYS)
      .optional(),
    causation,
  })
  .refine(({ window, keys }) => (window === undefined) !== (keys === undefined), {
    error: 'has to give either a window or keys',
  })
  .refine(({ window }) => window === undefined || Date.parse(window.from) < Date.parse(window.to), {
    error: 'has to start before it ends',
    path: ['window'],
  })

/** The detail of `WorkflowCompleted` and `WorkflowFailed`, from the source `dray.<workflow>`. */
const workflowEnded = z.object({
  version: z.literal(1),
  id,
  workflow: z.string().min(1).max(100),
  /** Several may share a bus: one starts nothing in another. */
  environment: z.string().min(1).max(100).optional(),
  run: z.string().min(1).max(100),
  status: z.enum(['success', 'failed']),
  /** ISO 8601. */
  started_at: z.string(),
  /** The outcome of each step. */
  steps: z.record(z.string(), z.string()),
  /** How the checks of those steps have ended that have some; missing where none has. */
  checks: z.record(z.string(), checkCounts).optional(),
  /** By step, sentences on columns and tables of sources that are others than before; missing where none is. */
  changes: z.record(z.string(), z.array(z.string())).optional(),
  causation,
})

/** As much of `WorkflowCompleted` and `WorkflowFailed` as starts another workflow. */
export const endOfWorkflow = workflowEnded.omit({
  status: true,
  started_at: true,
  steps: true,
  checks: true,
  changes: true,
})

/** An event as EventBridge puts it into a queue; a tick of a schedule as the stack's schedules say it. */
export const queuedEvent = z.union([
  z.object({ 'detail-type': z.string().min(1), detail: z.unknown() }),
  z.object({ trigger: z.literal('schedule'), id }),
])

/** Messages of the queue of a workflow's events, as Lambda gives them: each body is a `queuedEvent`. */
export const queuedBatch = z.object({ Records: z.array(z.object({ messageId: z.string(), body: z.string() })) })

/** An execution has ended: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html */
export const executionEnded = z.object({
  detail: z.object({
    name: z.string().min(1),
    stateMachineArn: z.string().optional(),
    status: z.enum(['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED']),
    /** In ms since 1970. */
    startDate: z.number().min(0).max(LAST_MS),
    input: z.string().nullish(),
    error: z.string().nullish(),
    cause: z.string().nullish(),
  }),
})

/** What calls the janitor: the end of an execution, or its own clock. */
export const janitorInput = z.union([z.object({ sweep: z.literal(true) }), executionEnded])

export type WorkflowEnded = Message<typeof workflowEnded>
export type EndOfWorkflow = Message<typeof endOfWorkflow>
export type QueuedBatch = Message<typeof queuedBatch>
export type ExecutionEnded = Message<typeof executionEnded>
export type JanitorInput = Message<typeof janitorInput>
