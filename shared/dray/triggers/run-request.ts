import { type ChangedEntity, newestCauses, type RunRequest } from '#dray/messages/run-input.ts'

/** Together with a second request that waits, this is far below the 400 KB of an item and the input of an execution. */
const MOST_BYTES = 100_000
const MOST_EVENTS = 1000

/** A run for its own sake, with no event behind it. */
export function followUpOf(trigger: string): RunRequest {
  return { trigger, events: [], entities: {}, causation: [] }
}

/** One request for both: keys and windows are united, so that one run does the work of two. */
export function unionOf(one: RunRequest, other: RunRequest): RunRequest {
  const entities = { ...one.entities }
  for (const [entity, change] of Object.entries(other.entities)) {
    const known = entities[entity]
    entities[entity] = known === undefined ? change : unionOfChanges(known, change)
  }
  return bounded({
    trigger: [...new Set([...one.trigger.split(','), ...other.trigger.split(',')])].join(),
    events: [...new Set([...one.events, ...other.events])].slice(-MOST_EVENTS),
    entities,
    causation: newestCauses([...one.causation, ...other.causation]),
  })
}

function unionOfChanges(one: ChangedEntity, other: ChangedEntity): ChangedEntity {
  return {
    keys: one.keys === 'all' || other.keys === 'all' ? 'all' : [...new Set([...one.keys, ...other.keys])],
    window: one.window && other.window ? unionOfWindows(one.window, other.window) : (one.window ?? other.window),
  }
}

function unionOfWindows(one: NonNullable<ChangedEntity['window']>, other: NonNullable<ChangedEntity['window']>) {
  return {
    from: Date.parse(one.from) <= Date.parse(other.from) ? one.from : other.from,
    to: Date.parse(one.to) >= Date.parse(other.to) ? one.to : other.to,
  }
}

function bounded(request: RunRequest): RunRequest {
  if (Buffer.byteLength(JSON.stringify(request.entities)) <= MOST_BYTES) return request
  const entities = Object.entries(request.entities).map(([entity, { window }]): [string, ChangedEntity] => [
    entity,
    { keys: 'all', window },
  ])
  return { ...request, entities: Object.fromEntries(entities) }
}
