/** A run that led to an event. */
export interface Cause {
  readonly workflow: string
  readonly run: string
}

/** What of an entity has changed: these keys, and whatever changed in the window. */
export interface EntityChange {
  /** `all` when they are too many to be named. */
  readonly keys: readonly string[] | 'all'
  /** From its start until before its end, ISO 8601. */
  readonly window: { readonly from: string; readonly to: string } | null
}

/** What asks for a run of a workflow: a tick of a schedule, or events that came close together. */
export interface RunRequest {
  /** `schedule`, `event:EntityUpdated`, `follow-up`; several are joined by commas. */
  readonly trigger: string
  /** Ids of the events, each unique among all senders. */
  readonly events: readonly string[]
  /** By `<source>/<entity>`. */
  readonly entities: Readonly<Record<string, EntityChange>>
  /** The runs that led to the events, oldest first. */
  readonly causation: readonly Cause[]
  /** The steps to run; all of them when it is not said. */
  readonly only?: readonly string[]
  /** The run to go on with, in its mode. */
  readonly mode?: { readonly resume: string }
}

/** Together with a second request that waits, this is far below the 400 KB of an item and the input of an execution. */
const mostBytes = 100_000
const mostEvents = 1000

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
  const causes = [...one.causation, ...other.causation].map(
    (cause) => [`${cause.workflow}/${cause.run}`, cause] as const,
  )
  return bounded({
    trigger: [...new Set([...one.trigger.split(','), ...other.trigger.split(',')])].join(),
    events: [...new Set([...one.events, ...other.events])].slice(-mostEvents),
    entities,
    causation: [...new Map(causes).values()],
  })
}

function unionOfChanges(one: EntityChange, other: EntityChange): EntityChange {
  return {
    keys: one.keys === 'all' || other.keys === 'all' ? 'all' : [...new Set([...one.keys, ...other.keys])],
    window: one.window && other.window ? unionOfWindows(one.window, other.window) : (one.window ?? other.window),
  }
}

function unionOfWindows(one: NonNullable<EntityChange['window']>, other: NonNullable<EntityChange['window']>) {
  return {
    from: Date.parse(one.from) <= Date.parse(other.from) ? one.from : other.from,
    to: Date.parse(one.to) >= Date.parse(other.to) ? one.to : other.to,
  }
}

function bounded(request: RunRequest): RunRequest {
  if (Buffer.byteLength(JSON.stringify(request.entities)) <= mostBytes) return request
  const entities = Object.entries(request.entities).map(([entity, { window }]): [string, EntityChange] => [
    entity,
    { keys: 'all', window },
  ])
  return { ...request, entities: Object.fromEntries(entities) }
}
