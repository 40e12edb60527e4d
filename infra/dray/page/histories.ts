import { unitOf } from 'dray/internal/messages/step-name.ts'
import type { RunRecord, StateStore, StepRecord } from 'dray/internal/state/state-store.ts'
import type { HistoryPoint } from './documents.ts'

/** Records that are asked for at once. */
const AT_ONCE = 25
/** Runs of a workflow that are asked for when those before them are known. */
const NEWEST = 25

/** Runs of a workflow, newest first, as they were listed last. */
type Listed = readonly RunRecord[]

/** What steps came to, run by run: a run that has ended is asked for once. */
export class Histories {
  readonly #state: StateStore
  readonly #most: number
  readonly #listed = new Map<string, Listed>()
  /** By run and step, of runs that have ended; null where the run did not reach the step. */
  readonly #ended = new Map<string, StepRecord | null>()

  /** `most` are the runs that are looked at. */
  constructor(state: StateStore, { most }: { readonly most: number }) {
    this.#state = state
    this.#most = most
  }

  /** What a step came to in the latest runs of the workflows that have it, oldest first. */
  async of(step: string, workflows: readonly string[]): Promise<HistoryPoint[]> {
    const found = await Promise.all(workflows.map((workflow) => this.#runsOf(workflow)))
    const runs = found
      .flat()
      .filter(({ only }) => only === null || only.includes(step) || only.includes(unitOf(step)))
      .sort((one, other) => other.startTime - one.startTime)
      .slice(0, this.#most)
    const points: HistoryPoint[] = []
    for (let from = 0; from < runs.length; from += AT_ONCE) {
      const some = runs.slice(from, from + AT_ONCE)
      const records = await Promise.all(some.map((run) => this.#recordOf(run, step)))
      points.push(...some.flatMap((run, place) => pointOf(run, records[place] ?? null)))
    }
    return points.reverse()
  }

  async #runsOf(workflow: string): Promise<Listed> {
    const before = this.#listed.get(workflow)
    const runs =
      before === undefined
        ? await this.#state.runs({ workflow, limit: this.#most })
        : ((await this.#newer(workflow, before)) ?? (await this.#state.runs({ workflow, limit: this.#most })))
    this.#listed.set(workflow, runs)
    return runs
  }

  /** With those that are new; null where these do not lead back to what is known. */
  async #newer(workflow: string, before: Listed): Promise<Listed | null> {
    const newest = await this.#state.runs({ workflow, limit: Math.min(NEWEST, this.#most) })
    const ids = new Set(newest.map(({ id }) => id))
    const rest = before.filter(({ id }) => !ids.has(id))
    const isJoined = newest.length < NEWEST || rest.length < before.length
    if (!isJoined) return null
    const since = newest.at(-1)?.startTime ?? 0
    return [...newest, ...rest.filter(({ startTime }) => startTime <= since)].slice(0, this.#most)
  }

  async #recordOf({ id, endTime }: RunRecord, step: string): Promise<StepRecord | null> {
    const key = `${id} ${step}`
    const known = this.#ended.get(key)
    if (known !== undefined) return known
    const record = await this.#state.stepRecord(id, step)
    if (endTime !== null) this.#ended.set(key, record)
    return record
  }
}

function pointOf(run: RunRecord, record: StepRecord | null): HistoryPoint[] {
  if (record === null) return []
  const { startTime, endTime, executionTimeSeconds, read, quarantined, status, lastRunAfter } = record
  const end = endTime ?? run.endTime
  const seconds = executionTimeSeconds ?? (startTime !== null && end !== null ? (end - startTime) / 1000 : null)
  return [{ run: run.id, start: run.startTime, status, seconds, read, quarantined, lag: lagOf(lastRunAfter, end) }]
}

/** `last_run` is UTC where it is a time. */
export function lagOf(lastRun: string | null, at: number | null): number | null {
  if (lastRun === null || at === null || !/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/.test(lastRun)) return null
  const time = Date.parse(`${lastRun.slice(0, 23).replace(' ', 'T')}Z`)
  return Number.isNaN(time) ? null : Math.max(0, (at - time) / 1000)
}
