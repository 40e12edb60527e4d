import { unitOf } from 'dray/internal/messages/step-name.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import type { HistoryPoint, PipelineStateDocument } from './documents.ts'

export async function pipelineStates(state: StateStore): Promise<PipelineStateDocument[]> {
  const known = await state.pipelines()
  return known.map(({ pipeline, lastRun, leaseOwner, pending, version, countedRows }) => ({
    pipeline,
    lastRun,
    leaseOwner,
    isPending: pending,
    version,
    countedRows,
  }))
}

/** Records that are asked for at once. */
const AT_ONCE = 25

/** What a step came to in the latest runs of the workflows that have it, oldest first. */
export async function historyOf(
  state: StateStore,
  step: string,
  { workflows, most }: { readonly workflows: readonly string[]; readonly most: number },
): Promise<HistoryPoint[]> {
  const found = await Promise.all(workflows.map((workflow) => state.runs({ workflow, limit: most })))
  const runs = found
    .flat()
    .filter(({ only }) => only === null || only.includes(step) || only.includes(unitOf(step)))
    .sort((one, other) => other.startTime - one.startTime)
    .slice(0, most)
  const points: HistoryPoint[] = []
  for (let from = 0; from < runs.length; from += AT_ONCE) {
    const some = runs.slice(from, from + AT_ONCE)
    const records = await Promise.all(some.map(({ id }) => state.stepRecord(id, step)))
    for (const [place, run] of some.entries()) {
      const record = records[place]
      if (record == null) continue
      const { startTime, endTime, executionTimeSeconds, read, quarantined, status, lastRunAfter } = record
      const end = endTime ?? run.endTime
      const seconds = executionTimeSeconds ?? (startTime !== null && end !== null ? (end - startTime) / 1000 : null)
      points.push({
        run: run.id,
        start: run.startTime,
        status,
        seconds,
        read,
        quarantined,
        lag: lagOf(lastRunAfter, end),
      })
    }
  }
  return points.reverse()
}

/** `last_run` is UTC where it is a time. */
export function lagOf(lastRun: string | null, at: number | null): number | null {
  if (lastRun === null || at === null || !/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/.test(lastRun)) return null
  const time = Date.parse(`${lastRun.slice(0, 23).replace(' ', 'T')}Z`)
  return Number.isNaN(time) ? null : Math.max(0, (at - time) / 1000)
}
