import { createHash } from 'node:crypto'
import { type ChangedEntity, newestCauses, type RunRequest } from '#dray/messages/run-input.ts'

/*
 * A request is the input of an execution, of 262,144 bytes at most, and waits beside another one in an item of 400 KB.
 * So each of its parts is bounded: all of them together are below 110,000 bytes.
 */
const MOST_ENTITY_BYTES = 60_000
const MOST_EVENT_BYTES = 25_000
const MOST_CAUSE_BYTES = 20_000
const MOST_TRIGGER_BYTES = 2_000
const MOST_EVENTS = 1000

/** A run for its own sake, with no event behind it. */
export function followUpOf(trigger: string): RunRequest {
  return { trigger, events: [], entities: {}, causation: [] }
}

/**
 * One request for all of them, oldest first: keys and windows are united, so that one run does the work of all. It is
 * an input that an execution can have, whatever they hold: what is too much to be named is read by its window.
 */
export function unionOf(requests: readonly RunRequest[]): RunRequest {
  return {
    trigger: fewest([...new Set(requests.flatMap(({ trigger }) => trigger.split(',')))], MOST_TRIGGER_BYTES).join(),
    events: eventsOf(requests),
    entities: entitiesOf(requests),
    causation: fewest(newestCauses(requests.flatMap(({ causation }) => causation)), MOST_CAUSE_BYTES),
  }
}

/** As little as a run can be asked for: a usual run of all steps, which reads what any of the events tells of. */
export function leastOf({ trigger, only, tables, mode }: RunRequest): RunRequest {
  const least = followUpOf(fewest(trigger.split(','), MOST_TRIGGER_BYTES).join())
  return {
    ...least,
    ...(only === undefined ? {} : { only }),
    ...(tables === undefined ? {} : { tables }),
    ...(mode === undefined ? {} : { mode }),
  }
}

/** What is remembered of an event, however long its id is; of a fingerprint it is the same one. */
export function fingerprint(event: string): string {
  if (/^#[\w-]{16}$/.test(event)) return event.slice(1)
  return createHash('sha256').update(event).digest('base64url').slice(0, 16)
}

/** The ids of the events; their fingerprints where the ids are long. */
function eventsOf(requests: readonly RunRequest[]): readonly string[] {
  const events = [...new Set(requests.flatMap(({ events }) => events))].slice(-MOST_EVENTS)
  return bytesOf(events) <= MOST_EVENT_BYTES ? events : events.map((event) => `#${fingerprint(event)}`)
}

function entitiesOf(requests: readonly RunRequest[]): Record<string, ChangedEntity> {
  const entities = new Map<string, KeysAndWindow>()
  for (const request of requests) {
    for (const [entity, change] of Object.entries(request.entities)) {
      const known = entities.get(entity)
      if (known === undefined) entities.set(entity, { keys: setOf(change.keys), window: change.window })
      else unite(known, change)
    }
  }
  const named = [...entities].map(([entity, { keys, window }]): [string, ChangedEntity] => [
    entity,
    { keys: keys === 'all' ? 'all' : [...keys], window },
  ])
  if (bytesOf(named) <= MOST_ENTITY_BYTES) return Object.fromEntries(named)
  return Object.fromEntries(
    fewest(
      named.map(([entity, { window }]): [string, ChangedEntity] => [entity, { keys: 'all', window }]),
      MOST_ENTITY_BYTES,
    ),
  )
}

interface KeysAndWindow {
  keys: Set<string> | 'all'
  window: ChangedEntity['window']
}

function setOf(keys: ChangedEntity['keys']): KeysAndWindow['keys'] {
  return keys === 'all' ? 'all' : new Set(keys)
}

function unite(known: KeysAndWindow, { keys, window }: ChangedEntity): void {
  if (keys === 'all') known.keys = 'all'
  if (known.keys !== 'all') for (const key of keys) known.keys.add(key)
  known.window = known.window && window ? unionOfWindows(known.window, window) : (known.window ?? window)
}

function unionOfWindows(one: NonNullable<ChangedEntity['window']>, other: NonNullable<ChangedEntity['window']>) {
  return {
    from: Date.parse(one.from) <= Date.parse(other.from) ? one.from : other.from,
    to: Date.parse(one.to) >= Date.parse(other.to) ? one.to : other.to,
  }
}

/** As many of the last ones as there is room for. */
function fewest<T>(all: readonly T[], bytes: number): T[] {
  let left = bytes
  const kept = all.toReversed().filter((one) => {
    left -= bytesOf(one) + 1
    return left > 0
  })
  return kept.toReversed()
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
