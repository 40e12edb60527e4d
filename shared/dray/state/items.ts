import type { RowCounts } from '#dray/messages/row-counts.ts'
import { META, PARTITION, runKey, STEP } from './keys.ts'
import type {
  KnownSource,
  LandedPartition,
  PartitionRecord,
  PipelineState,
  RunDetail,
  RunRecord,
  RunStart,
  StepRecord,
} from './state-store.ts'

/** An item as the document client gives it. */
export type Item = Record<string, unknown>

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

function parseTime(text: unknown): number | null {
  return typeof text === 'string' ? Date.parse(text) : null
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}

function count(value: unknown): number {
  return number(value) ?? 0
}

function rowCounts(from: Item | RowCounts): RowCounts {
  const { read, inserted, updated, unchanged, filtered, duplicate, quarantined } = from as Item
  return {
    read: count(read),
    inserted: count(inserted),
    updated: count(updated),
    unchanged: count(unchanged),
    filtered: count(filtered),
    duplicate: count(duplicate),
    quarantined: count(quarantined),
  }
}

export function pipelineState(item: Item): PipelineState {
  return {
    pipeline: String(item.pipeline),
    lastRun: text(item.last_run),
    version: count(item.version),
    epoch: count(item.epoch),
    leaseOwner: text(item.lease_owner),
    leaseExpiresAt: number(item.lease_expires_at),
    pending: item.pending === true,
    commitOwner: text(item.commit_owner),
    commitEpoch: count(item.commit_epoch),
    source: sourceOf(item),
  }
}

/** Code that knows no source moves `last_run` and leaves the source: then it is not that one's any more. */
function sourceOf(item: Item): KnownSource | null {
  if (typeof item.source_identity !== 'string' || item.source_last_run !== item.last_run) return null
  return JSON.parse(item.source_identity) as KnownSource
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
    records_processed: 0,
    records_failed: 0,
  }
}

export function runRecord(item: Item): RunRecord {
  return {
    id: String(item.run_id),
    workflow: String(item.workflow),
    status: item.status as RunRecord['status'],
    startTime: parseTime(item.start_time) ?? 0,
    endTime: parseTime(item.end_time),
    recordsProcessed: count(item.records_processed),
    recordsFailed: count(item.records_failed),
    executionTimeSeconds: number(item.execution_time_seconds),
    runner: String(item.runner),
    trigger: String(item.trigger),
    mode: text(item.mode),
    only: Array.isArray(item.only) ? item.only.map(String) : null,
    error: text(item.error),
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
    ...rowCounts(step),
    deleted: step.deleted,
    findings: step.findings,
    bytes: step.bytes,
    error: cutError(step.error),
    notes: step.notes,
    quarantine: step.quarantine,
  }
}

export function stepRecord(item: Item): StepRecord {
  return {
    runId: String(item.run_id),
    step: String(item.job_name),
    status: item.status as StepRecord['status'],
    startTime: parseTime(item.start_time),
    endTime: parseTime(item.end_time),
    executionTimeSeconds: number(item.execution_time_seconds),
    lastRunBefore: text(item.last_run_before),
    lastRunAfter: text(item.last_run_after),
    ...rowCounts(item),
    deleted: count(item.deleted),
    findings: count(item.findings),
    bytes: count(item.bytes),
    error: text(item.error),
    notes: Array.isArray(item.notes) ? item.notes.map(String) : null,
    quarantine: text(item.quarantine),
  }
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
    ...rowCounts(partition),
    findings: partition.findings,
    bytes: partition.bytes,
  }
}

function partitionRecord(item: Item): PartitionRecord {
  return {
    runId: String(item.run_id),
    pipeline: String(item.job_name),
    partition: count(item.partition),
    status: item.status as PartitionRecord['status'],
    ...rowCounts(item),
    findings: count(item.findings),
    bytes: count(item.bytes),
    attempts: count(item.attempts),
    executionTimeSeconds: number(item.execution_time_seconds),
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
