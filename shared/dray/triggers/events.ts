import type * as z from 'zod'
import { TerminalError } from '#dray/errors.ts'
import { type EndOfWorkflow, endOfWorkflow, entityUpdated, queuedEvent } from '#dray/messages/events.ts'
import { checked } from '#dray/messages/message.ts'
import type { ChangedEntity, RunRequest } from '#dray/messages/run-input.ts'
import { followUpOf } from './run-request.ts'

/** The run that a message of the queue asks for. Throws `Terminal` with the reason when it is not of the contract. */
export function requestOf(body: string): RunRequest {
  const parsed = parse(queuedEvent, jsonOf(body), 'the message')
  if ('trigger' in parsed) return { ...followUpOf('schedule'), events: [`schedule:${parsed.id}`] }
  const detailType = parsed['detail-type']
  const request =
    detailType === 'WorkflowCompleted' || detailType === 'WorkflowFailed'
      ? completed(parse(endOfWorkflow, parsed.detail, detailType))
      : updated(parse(entityUpdated, parsed.detail, detailType))
  return { ...request, trigger: `event:${detailType}` }
}

/** Of a chain of causes in a message, from the workflow itself on. */
const MOST_SHOWN = 10

/** Throws `Terminal` when the workflow itself led to what asks for its run. */
export function refuseCircle({ trigger, events, causation }: RunRequest, workflow: string): void {
  const from = causation.findIndex((cause) => cause.workflow === workflow)
  if (from < 0) return
  const chain = causation
    .slice(from, from + MOST_SHOWN)
    .map((cause) => `${cause.workflow} (${cause.run})`)
    .join(' → ')
  throw new TerminalError(
    `${trigger.replace('event:', '')} ${events.join()} was caused by ${workflow} itself, so it would start itself for ever: ${chain}; let its sender leave out what ${workflow} has written`,
  )
}

function updated(event: z.output<typeof entityUpdated>): Omit<RunRequest, 'trigger'> {
  const change: ChangedEntity = { keys: event.keys ?? [], window: event.window ?? null }
  const entities = { [`${event.source}/${event.entity}`]: change }
  return { events: [`${event.source}/${event.entity}/${event.id}`], entities, causation: event.causation }
}

function completed(event: EndOfWorkflow): Omit<RunRequest, 'trigger'> {
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
  const found = checked(schema, value)
  if ('data' in found) return found.data
  throw new TerminalError(
    `${what.slice(0, 100)} is not as docs/events.md says, so no run was started for it: ${found.fault}`,
  )
}
