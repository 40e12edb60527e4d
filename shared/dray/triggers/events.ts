import * as z from 'zod'
import { TerminalError } from '#dray/errors.ts'
import { type EntityChange, followUpOf, type RunRequest } from './run-request.ts'

const longestChain = 32
const mostKeys = 1000

const id = z.string().min(1).max(128)
const instant = z.iso.datetime({ offset: true })
/** The runs that led to an event, oldest first. */
const causation = z
  .array(z.object({ workflow: z.string().min(1).max(100), run: z.string().min(1).max(100) }))
  .max(longestChain, `has more than ${longestChain} runs: workflows start each other without end`)
  .default([])

const entityUpdated = z
  .object({
    version: z.literal(1),
    /** The same in each delivery of one update, and of no other. */
    id,
    /** What was updated, e.g. `orders`. */
    entity: z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,99}$/),
    /** The system that holds it, e.g. `shop`. */
    source: z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,99}$/),
    window: z.object({ from: instant, to: instant }).optional(),
    keys: z
      .array(z.union([z.string().min(1).max(200), z.int().transform(String)]))
      .min(1)
      .max(mostKeys)
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

const workflowCompleted = z.object({
  version: z.literal(1),
  id,
  workflow: z.string().min(1),
  run: z.string().min(1),
  causation,
})

/** An event as EventBridge puts it into a queue; a tick of a schedule as the stack's schedules say it. */
const message = z.union([
  z.object({ 'detail-type': z.string().min(1), detail: z.unknown() }),
  z.object({ trigger: z.literal('schedule'), id }),
])

/** The detail of `EntityUpdated`, as its sender writes it; docs/events.md explains it. */
export type EntityUpdated = z.input<typeof entityUpdated>

/** The detail of `WorkflowCompleted` and `WorkflowFailed`, from the source `dray.<workflow>`. */
export interface WorkflowEnded extends z.output<typeof workflowCompleted> {
  readonly status: 'success' | 'failed'
  /** ISO 8601. */
  readonly started_at: string
  /** The outcome of each step. */
  readonly steps: Readonly<Record<string, string>>
}

/**
 * The run that a message of the queue asks for. Throws `Terminal` with the reason when it is not one of the contract, or
 * when the workflow itself led to the event.
 */
export function requestOf(body: string, workflow: string): RunRequest {
  const parsed = parse(message, jsonOf(body), 'the message')
  if ('trigger' in parsed) return { ...followUpOf('schedule'), events: [`schedule:${parsed.id}`] }
  const detailType = parsed['detail-type']
  const request =
    detailType === 'WorkflowCompleted' || detailType === 'WorkflowFailed'
      ? completed(parse(workflowCompleted, parsed.detail, detailType))
      : updated(parse(entityUpdated, parsed.detail, detailType))
  if (request.causation.some((cause) => cause.workflow === workflow)) {
    const chain = request.causation.map((cause) => `${cause.workflow} (${cause.run})`).join(' → ')
    throw new TerminalError(
      `${detailType} ${request.events.join()} was caused by ${workflow} itself, so it would start itself for ever: ${chain}; let its sender leave out what ${workflow} has written`,
    )
  }
  return { ...request, trigger: `event:${detailType}` }
}

function updated(event: z.output<typeof entityUpdated>): Omit<RunRequest, 'trigger'> {
  const change: EntityChange = { keys: event.keys ?? [], window: event.window ?? null }
  const entities = { [`${event.source}/${event.entity}`]: change }
  return { events: [`${event.source}/${event.entity}/${event.id}`], entities, causation: event.causation }
}

function completed(event: z.output<typeof workflowCompleted>): Omit<RunRequest, 'trigger'> {
  return { events: [`${event.workflow}/${event.id}`], entities: {}, causation: event.causation }
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (error) {
    throw new TerminalError('the message is not JSON, so no run was started for it; see docs/events.md', {
      cause: error,
    })
  }
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new TerminalError(
    `${what} is not as docs/events.md says, so no run was started for it: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`,
  )
}
