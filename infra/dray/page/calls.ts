/** A line of a run's log. */
export type Entry = Readonly<Record<string, unknown>>

/** A call of a function, as the run's log tells it. */
export interface Call {
  /** The step that it worked for; empty for the run as a whole. */
  readonly step: string
  /** `plan`, `extract`, `transform`, `load`, `commit` … */
  readonly stage: string
  readonly partition: number | null
  /** Milliseconds since 1970. */
  readonly start: number
  /** Null while it is at work, or where its end was not logged. */
  readonly end: number | null
  readonly status: 'running' | 'success' | 'failed'
  readonly error: string | null
}

type OpenCall = { -readonly [N in keyof Call]: Call[N] }

/** The calls of a log, in the order in which they began. */
export function callsOf(entries: readonly Entry[]): Call[] {
  const calls: OpenCall[] = []
  const open = new Map<string, OpenCall>()
  for (const entry of entries) {
    const { message, request_id: id, timestamp } = entry
    const at = Date.parse(String(timestamp))
    if (typeof id !== 'string' || Number.isNaN(at)) continue
    if (message === 'started') {
      const call = begun(entry, at)
      // A request that is delivered again keeps its id.
      open.set(id, call)
      calls.push(call)
    } else if (message === 'succeeded' || message === 'failed') {
      const call = open.get(id)
      if (call === undefined) continue
      call.end = at
      call.status = message === 'failed' ? 'failed' : 'success'
      if (message === 'failed') call.error = `${entry.error_name}: ${entry.error_message}`
      open.delete(id)
    }
  }
  return calls
}

function begun({ pipeline, step, partition }: Entry, at: number): OpenCall {
  return {
    step: typeof pipeline === 'string' ? pipeline : '',
    stage: String(step ?? ''),
    partition: typeof partition === 'number' ? partition : null,
    start: at,
    end: null,
    status: 'running',
    error: null,
  }
}

/** Of a run that has ended, calls whose end nobody logged ended with it. */
export function closedAt(calls: readonly Call[], end: number | null): Call[] {
  return calls.map((call) =>
    call.end !== null || end === null
      ? call
      : { ...call, end: Math.max(end, call.start), status: 'failed', error: 'Its end was not logged.' },
  )
}

/** Those of one step, and of one of its partitions where one is asked for. */
export function entriesOf(entries: readonly Entry[], step: string | null, partition: number | null): Entry[] {
  return entries.filter(
    (entry) =>
      (step === null || entry.pipeline === step) && (partition === null || (entry.partition ?? null) === partition),
  )
}
