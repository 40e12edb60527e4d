import { modeOf } from '#dray/messages/run-mode.ts'
import { isTableStep, unitOf } from '#dray/messages/step-name.ts'
import type { RunRecord } from '#dray/state/state-store.ts'
import type { EndServices } from '#dray/triggers/end-run.ts'
import type { TriggeredWorkflow } from '#dray/triggers/request-run.ts'
import { emitMetrics } from './emit-metrics.ts'

/** Runs that are looked at for the tables of replicas: the newest may have ended before it knew them. */
const MOST_RUNS = 5

/**
 * Tells CloudWatch how long ago the last success was, and how far behind each incremental pipeline is; a replica is as
 * far behind as that of its tables which is farthest.
 */
export async function observe(
  workflow: TriggeredWorkflow,
  replicas: readonly string[],
  services: EndServices,
): Promise<void> {
  const { state, slots, now } = services
  const successes = await state.runs({ workflow: workflow.name, status: 'success', limit: 50 })
  const success = successes.find(isWhole)
  // Before the first success the clock runs from the deployment.
  const since = success?.endTime ?? (await slots.open(workflow.name, now())).createdAt
  emitMetrics({ workflow: workflow.name }, { SecondsSinceSuccess: secondsTo(now(), since) })
  const tables = replicas.length === 0 ? [] : await tablesOf(workflow, services)
  for (const pipeline of workflow.pipelines) {
    const names = replicas.includes(pipeline) ? tables.filter((table) => unitOf(table) === pipeline) : [pipeline]
    const known = await Promise.all(names.map((name) => state.pipeline(name)))
    const ends = known.flatMap((one) => instantOf(one?.lastRun ?? null) ?? [])
    if (ends.length === 0) continue
    emitMetrics({ workflow: workflow.name, pipeline }, { FreshnessSeconds: secondsTo(now(), Math.min(...ends)) })
  }
}

/** Those that the last run that knew any has had: `last_run` of a table that is gone stands still for good. */
async function tablesOf({ name }: TriggeredWorkflow, { state }: EndServices): Promise<readonly string[]> {
  const runs = (await state.runs({ workflow: name, limit: 50 })).filter(isWhole)
  for (const { id } of runs.filter(({ status }) => status !== 'running').slice(0, MOST_RUNS)) {
    const tables = (await state.run(id))?.steps.map(({ step }) => step).filter(isTableStep) ?? []
    if (tables.length > 0) return tables
  }
  return []
}

/** Some steps of it, single keys or a range that was loaded again are not what a workflow is there for. */
export function isWhole({ mode, only }: RunRecord): boolean {
  return only === null && (mode === null || 'resume' in (modeOf({ mode }) ?? {}))
}

function secondsTo(now: number, then: number): number {
  return Math.max(0, Math.round((now - then) / 1000))
}

/** A database's text of an instant, `2026-11-23 07:02:12.123456+00`, in ms; without an offset it is UTC. */
function instantOf(text: string | null): number | null {
  const parts = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d(?::?\d\d)?)?$/.exec(text ?? '')
  if (parts === null) return null
  const [, date, time, offset = 'Z'] = parts
  const instant = Date.parse(`${date}T${time}${offset.length === 3 ? `${offset}:00` : offset}`)
  return Number.isNaN(instant) ? null : instant
}
