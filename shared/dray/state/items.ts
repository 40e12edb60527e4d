import type { CheckResult } from '#dray/messages/check-result.ts'
import { rowCountsBy } from '#dray/messages/row-counts.ts'
import type { Spent } from '#dray/messages/spent.ts'
import { Attributes, type Item } from './attributes.ts'
import { META, PARTITION, runKey, STEP } from './keys.ts'
import type {
  KnownSource,
  LandedPartition,
  PartitionRecord,
  PipelineState,
  ReconciledRows,
  RunDetail,
  RunRecord,
  RunStart,
  RunStatus,
  StepRecord,
} from './state-store.ts'

/** An item may hold 400 KB; a driver's message may quote whole rows. */
const ERROR_LIMIT_CHARACTERS = 8_000

export function cutError(error: string | null): string | null {
  if (error === null || error.length <= ERROR_LIMIT_CHARACTERS) return error
  return `${error.slice(0, ERROR_LIMIT_CHARACTERS)}…`.toWellFormed()
}

/** ISO 8601 in UTC: sorts as the time does, and can be read in the console. */
export function timeText(time: number): string {
  return new Date(time).toISOString()
}

function nullableTime(time: number | null): string | null {
  return time === null ? null : timeText(time)
}

/** Without an attribute where nothing is known, as in an item from before calls were measured. */
export function spentItem(spent: Spent | undefined): Item {
  return spent === undefined ? {} : { lambda_calls: spent.calls, lambda_megabyte_ms: spent.megabyte_ms }
}

function spentIn(held: Attributes): { readonly spent?: Spent } {
  const calls = held.count('lambda_calls')
  return calls === 0 ? {} : { spent: { calls, megabyte_ms: held.count('lambda_megabyte_ms') } }
}

export function pipelineState(item: Item): PipelineState {
  const held = new Attributes(item)
  return {
    pipeline: held.needed('pipeline'),
    lastRun: held.text('last_run'),
    version: held.count('version'),
    epoch: held.count('epoch'),
    leaseOwner: held.text('lease_owner'),
    leaseExpiresAt: held.milliseconds('lease_expires_at'),
    pending: held.isTrue('pending'),
    commitOwner: held.text('commit_owner'),
    commitEpoch: held.count('commit_epoch'),
    countedRows: held.number('counted_rows'),
    source: sourceOf(item),
  }
}

/** Code that knows no source moves `last_run` and leaves the source: then it is not that one's any more. */
function sourceOf(item: Item): KnownSource | null {
  if (item.source_last_run !== item.last_run) return null
  return new Attributes(item).json('source_identity', 'the identity of a source', isSource)
}

function isSource(value: unknown): value is KnownSource {
  const { server, database, position } = Object(value) as Partial<KnownSource>
  return (
    typeof server === 'string' && typeof database === 'string' && (position === null || typeof position === 'string')
  )
}

export function runItem(run: RunStart): Item {
  return {
    ...runKey(run.id),
    kind: 'run',
    run_id: run.id,
    workflow: run.workflow,
    job_name: run.workflow,
    status: 'running',
    start_time: timeText(run.startTime),
    runner: run.runner,
    trigger: run.trigger,
    mode: run.mode ?? null,
    only: run.only ?? null,
    ...(run.tables ? { tables: run.tables } : {}),
    records_processed: 0,
    records_failed: 0,
  }
}

function runStatus(held: Attributes): RunStatus {
  if (held.isTrue('is_refused')) return 'refused'
  return held.isTrue('is_interrupted') ? 'interrupted' : held.oneOf('status', ['running', 'success', 'failed'])
}

export function runRecord(item: Item): RunRecord {
  const held = new Attributes(item)
  const tables = held.texts('tables')
  return {
    id: held.needed('run_id'),
    workflow: held.needed('workflow'),
    status: runStatus(held),
    startTime: held.time('start_time') ?? 0,
    endTime: held.time('end_time'),
    recordsProcessed: held.count('records_processed'),
    recordsFailed: held.count('records_failed'),
    executionTimeSeconds: held.number('execution_time_seconds'),
    runner: held.needed('runner'),
    trigger: held.needed('trigger'),
    mode: held.text('mode'),
    only: held.texts('only'),
    ...(tables === null ? {} : { tables }),
    error: held.text('error'),
    ...spentIn(held),
  }
}

export function stepItem(step: StepRecord): Item {
  return {
    run_id: step.runId,
    job_name: step.step,
    status: step.status,
    // Absent rather than null: it is the key of an index.
    ...(step.startTime === null ? {} : { start_time: timeText(step.startTime) }),
    end_time: nullableTime(step.endTime),
    execution_time_seconds: step.executionTimeSeconds,
    last_run_before: step.lastRunBefore,
    last_run_after: step.lastRunAfter,
    records_processed: step.read,
    records_failed: step.quarantined,
    ...rowCountsBy((name) => step[name]),
    gone: step.gone,
    findings: step.findings,
    bytes: step.bytes,
    error: cutError(step.error),
    notes: step.notes,
    quarantine: step.quarantine,
    ...spentItem(step.spent),
    ...(step.plannedCost === undefined ? {} : { planned_cost: step.plannedCost }),
    ...(step.tables === undefined ? {} : { tables: step.tables.total, tables_failed: step.tables.failed }),
    ...(step.reconciled === undefined ? {} : { reconciled: JSON.stringify(step.reconciled) }),
    ...(step.checks === undefined ? {} : { checks: JSON.stringify(step.checks) }),
    ...(step.owner === undefined ? {} : { owner: step.owner }),
  }
}

export function stepRecord(item: Item): StepRecord {
  const held = new Attributes(item)
  const plannedCost = held.number('planned_cost')
  const tables = held.number('tables')
  const reconciled = held.json('reconciled', 'what a comparison has found', isReconciled)
  const checks = held.json('checks', 'what checks have come to', areResults)
  const owner = held.text('owner')
  return {
    runId: held.needed('run_id'),
    step: held.needed('job_name'),
    status: held.oneOf('status', ['running', 'success', 'failed', 'skipped', 'refused']),
    startTime: held.time('start_time'),
    endTime: held.time('end_time'),
    executionTimeSeconds: held.number('execution_time_seconds'),
    lastRunBefore: held.text('last_run_before'),
    lastRunAfter: held.text('last_run_after'),
    ...rowCountsBy((name) => held.count(name)),
    gone: held.count('gone'),
    findings: held.count('findings'),
    bytes: held.count('bytes'),
    error: held.text('error'),
    notes: held.texts('notes'),
    quarantine: held.text('quarantine'),
    ...spentIn(held),
    ...(plannedCost === null ? {} : { plannedCost }),
    ...(tables === null ? {} : { tables: { total: tables, failed: held.count('tables_failed') } }),
    ...(reconciled === null ? {} : { reconciled }),
    ...(checks === null ? {} : { checks }),
    ...(owner === null ? {} : { owner }),
  }
}

function areResults(value: unknown): value is readonly CheckResult[] {
  const isResult = (one: unknown) => typeof (Object(one) as Partial<CheckResult>).status === 'string'
  return Array.isArray(value) && value.every(isResult)
}

function isReconciled(value: unknown): value is ReconciledRows {
  const { missing, extra, different, first } = Object(value) as Partial<ReconciledRows>
  return [missing, extra, different].every((count) => typeof count === 'number') && Array.isArray(first)
}

/** All but its attempts, which are counted in the item itself. */
export function partitionItem(partition: LandedPartition): Item {
  return {
    run_id: partition.runId,
    job_name: partition.pipeline,
    partition: partition.partition,
    status: 'success',
    execution_time_seconds: partition.executionTimeSeconds,
    records_processed: partition.read,
    records_failed: partition.quarantined,
    ...rowCountsBy((name) => partition[name]),
    findings: partition.findings,
    bytes: partition.bytes,
    ...spentItem(partition.spent),
  }
}

function partitionRecord(item: Item): PartitionRecord {
  const held = new Attributes(item)
  return {
    runId: held.needed('run_id'),
    pipeline: held.needed('job_name'),
    partition: held.count('partition'),
    status: held.oneOf('status', ['running', 'success']),
    ...rowCountsBy((name) => held.count(name)),
    findings: held.count('findings'),
    bytes: held.count('bytes'),
    attempts: held.count('attempts'),
    executionTimeSeconds: held.number('execution_time_seconds'),
    ...spentIn(held),
  }
}

/** A run with its steps, in the order in which they started, and its partitions; null without the run's own item. */
export function runDetail(items: readonly Item[]): RunDetail | null {
  const meta = items.find((item) => item.sk === META)
  if (meta === undefined) return null
  const under = (prefix: string) => items.filter((item) => String(item.sk).startsWith(prefix))
  const steps = under(STEP).map(stepRecord)
  steps.sort((a, b) => (a.startTime ?? Number.MAX_VALUE) - (b.startTime ?? Number.MAX_VALUE))
  return { run: runRecord(meta), steps, partitions: under(PARTITION).map(partitionRecord) }
}
