import { datasetsOf as tablesOf, writtenDataset } from '#dray/lineage/datasets.ts'
import { type EventType, type LineageDataset, type RunEvent, runEvent } from '#dray/lineage/run-event.ts'
import { type LineageSettings, lineageSettings, sinkOf } from '#dray/lineage/settings.ts'
import type { LineageSink } from '#dray/lineage/sink.ts'
import type { CommitOutput, FinishInput, FinishOutput, RunReference } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Task, TaskResult } from '#dray/pipeline/declare/task.ts'
import type { Services } from '#dray/pipeline/services.ts'
import { KeptEvents } from '#dray/state/kept-events.ts'
import { openItemTable } from '#dray/state/open-item-table.ts'
import { runExpiry } from '#dray/state/run-expiry.ts'
import type { RunDetail } from '#dray/state/state-store.ts'
import { emitMetrics } from './emit-metrics.ts'

/** Events on their way. */
const AT_ONCE = 8

interface Datasets {
  readonly inputs: readonly LineageDataset[]
  readonly outputs: readonly LineageDataset[]
}

/** An event that did not reach the sink, and why. */
interface Unsent {
  readonly event: RunEvent
  readonly why: string
}

/**
 * Tells the sink of OpenLineage what runs. What cannot be sent at once is kept with the run, and sent by its Finish: by
 * then the sink has it, or the run's notes say that it is lost. At least once; the ids of a retry are those of the
 * first try.
 */
export class Lineage {
  readonly #namespace: string
  readonly #sink: LineageSink | null
  readonly #kept: KeptEvents

  constructor(namespace: string, sink: LineageSink | null, kept: KeptEvents) {
    this.#namespace = namespace
    this.#sink = sink
    this.#kept = kept
  }

  /** A step has begun, and with it the workflow, if nobody has told so. */
  async started(run: RunReference, step: Pipeline | Task, services: Services): Promise<void> {
    const workflow = this.#event('START', run, null, { at: Date.parse(run.started_at) })
    await this.#tell([workflow, this.#event('START', run, step.name, { at: services.now(), ...datasetsOf(step) })], run)
  }

  /** A step has landed. */
  async completed(
    run: RunReference,
    step: Pipeline | Task,
    counts: CommitOutput | TaskResult,
    services: Services,
  ): Promise<void> {
    const { inserted = 0, updated = 0 } = counts
    const { inputs, outputs } = datasetsOf(step)
    const written = outputs.length === 1 ? outputs.map((one) => writtenDataset(one, inserted + updated)) : outputs
    await this.#tell([this.#event('COMPLETE', run, step.name, { at: services.now(), inputs, outputs: written })], run)
  }

  /**
   * A run is over: what was kept, the steps that did not succeed, and the workflow. Says in the run's notes what got
   * lost.
   */
  async ended({ run, steps }: FinishInput, { status }: FinishOutput, services: Services): Promise<void> {
    const at = services.now()
    const ends = Object.entries(steps).flatMap(([step, outcome]) => {
      const type = ({ failed: 'FAIL', refused: 'ABORT' } as const)[outcome.status as string]
      return type === undefined ? [] : [this.#event(type, run, step, { at, error: outcome.reason ?? outcome.status })]
    })
    const unsuccessful = Object.entries(steps).filter(([, outcome]) => outcome.status !== 'success')
    const error =
      status === 'success'
        ? null
        : unsuccessful.map(([name, outcome]) => `${name}: ${outcome.status}: ${outcome.reason ?? ''}`).join('; ')
    const end = this.#event(status === 'success' ? 'COMPLETE' : 'FAIL', run, null, { at, error })
    const unsent = await this.#sendEnd(run, [...ends, end])
    if (unsent.length > 0) await this.#say(unsent, run, services)
  }

  /** A run is over that did not get to its Finish. */
  async stopped({ run: record, steps }: RunDetail, { now, log }: Pick<Services, 'now' | 'log'>): Promise<void> {
    const { id, workflow, startTime, trigger, error } = record
    const run = { id, workflow, trigger, started_at: new Date(startTime).toISOString() }
    const open = steps
      .filter(({ status }) => status === 'failed')
      .map((step) => ({ name: step.step, error: step.error }))
    const ends = [...open, { name: null, error }].map((one) =>
      this.#event('ABORT', run, one.name, { at: now(), error: one.error ?? 'it was stopped' }),
    )
    const unsent = await this.#sendEnd(run, ends)
    if (unsent.length > 0) log.warn('lineage not told', { run: id, events: unsent.length, reason: unsent[0]?.why })
  }

  /** What was kept first, and the end of the run last, for readers that take it for the last event. */
  async #sendEnd(run: RunReference, ends: readonly RunEvent[]): Promise<Unsent[]> {
    const kept = (await this.#kept.of(run.id)).map((event) => JSON.parse(event) as RunEvent)
    const unsent: Unsent[] = []
    for (const events of [kept, ends.slice(0, -1), ends.slice(-1)]) unsent.push(...(await this.#send(events)))
    return unsent
  }

  #event(type: EventType, run: RunReference, step: string | null, details: Parameters<typeof runEvent>[2]): RunEvent {
    return runEvent(type, { namespace: this.#namespace, run, step }, details)
  }

  async #tell(events: readonly RunEvent[], run: RunReference): Promise<void> {
    const unsent = await this.#send(events)
    await Promise.all(
      unsent.map(({ event }) => {
        const { eventTime, eventType, job } = event
        return this.#kept.keep(run.id, `${eventTime}#${job.name}#${eventType}`, JSON.stringify(event))
      }),
    )
  }

  async #send(events: readonly RunEvent[]): Promise<Unsent[]> {
    const sink = this.#sink
    if (sink === null) return events.map((event) => ({ event, why: 'this function reaches no sink' }))
    const unsent: Unsent[] = []
    for (let start = 0; start < events.length; start += AT_ONCE) {
      const batch = events.slice(start, start + AT_ONCE)
      const results = await Promise.allSettled(batch.map((event) => sink.send(event)))
      for (const [index, result] of results.entries()) {
        if (result.status === 'rejected') unsent.push({ event: batch[index] as RunEvent, why: result.reason?.message })
      }
    }
    return unsent
  }

  async #say(unsent: readonly Unsent[], run: RunReference, { state, log }: Services): Promise<void> {
    const [{ why }] = unsent as [Unsent]
    const note = `${unsent.length} events of lineage did not reach ${this.#sink?.place ?? 'a sink'} (${why}), so they are missing there; the data is not affected`
    log.warn(note, { events: unsent.map(({ event }) => `${event.eventType} ${event.job.name}`) })
    emitMetrics({ workflow: run.workflow }, { LineageLost: unsent.length })
    const step = (await state.run(run.id))?.steps[0]
    if (step !== undefined) await state.putStep({ ...step, notes: [...(step.notes ?? []), note] })
  }
}

/** Null where lineage is turned off. Throws `Configuration` when the variables are wrong. */
export async function openLineage(environment: NodeJS.ProcessEnv = process.env): Promise<Lineage | null> {
  const settings = lineageSettings(environment)
  if (settings === null) return null
  const kept = new KeptEvents(await openItemTable(), runExpiry())
  return new Lineage(settings.namespace, sinkOf(await withKey(settings, environment)), kept)
}

async function withKey(settings: LineageSettings, environment: NodeJS.ProcessEnv): Promise<LineageSettings> {
  const arn = environment.OPENLINEAGE_API_KEY_SECRET_ARN
  if (!arn) return settings
  const { readSecret } = await import('./read-secret.ts')
  return { ...settings, key: await readSecret(arn, 'the key of the lineage server') }
}

function datasetsOf(step: Pipeline | Task): Datasets {
  const [reads, writes] = step.kind === 'task' ? [step.reads, step.writes] : [[step.extract.model], [step.load.target]]
  return { inputs: tablesOf(reads), outputs: tablesOf(writes) }
}
