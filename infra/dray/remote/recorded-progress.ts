import { unitOf } from 'dray/internal/messages/step-name.ts'
import type { PartitionRecord, RunDetail, StepRecord } from 'dray/internal/state/state-store.ts'
import type { ProgressView, StepProgress } from '#dray-infra/runs/run-progress.ts'

/**
 * Tells a view how far each step of a run has come, as far as its metrics tell. `sizes` are the partitions that the
 * plan of a step has, where it is known.
 */
export function showRecorded(
  view: ProgressView,
  steps: readonly string[],
  { steps: records, partitions: all }: Pick<RunDetail, 'steps' | 'partitions'>,
  sizes: ReadonlyMap<string, number>,
  now: number,
): void {
  for (const name of steps) {
    const record = records.find(({ step }) => step === name)
    const isOwn = (one: string) => one === name || (!steps.includes(one) && unitOf(one) === name)
    const partitions = all.filter(({ pipeline }) => isOwn(pipeline))
    if (record?.tables === undefined) view.update(progressOf(name, record, partitions, sizes.get(name), now))
    else
      view.update(
        progressOfReplica(
          record,
          records.filter(({ step }) => step !== name && isOwn(step)),
          partitions,
          now,
        ),
      )
  }
}

function progressOf(
  name: string,
  record: StepRecord | undefined,
  partitions: readonly PartitionRecord[],
  size: number | undefined,
  now: number,
): StepProgress {
  const landed = partitions.filter(({ status }) => status === 'success')
  const status = record?.status ?? 'waiting'
  const { startTime = null, endTime = null } = record ?? {}
  const read = landed.reduce((rows, partition) => rows + partition.read, 0)
  return {
    name,
    status,
    phase: status === 'running' ? phaseOf(landed.length, size) : (record?.error ?? ''),
    fraction: status === 'success' ? 1 : fractionOf(landed.length, size),
    rowsRead: Math.max(read, record?.read ?? 0),
    rowsLoaded: read,
    partitions: size ?? 0,
    elapsedMs: startTime === null ? 0 : (endTime ?? now) - startTime,
  }
}

/** The tables that have ended, of those that it has; what they have read while they are worked on. */
function progressOfReplica(
  record: StepRecord,
  tables: readonly StepRecord[],
  partitions: readonly PartitionRecord[],
  now: number,
): StepProgress {
  const total = record.tables?.total ?? 0
  const ended = tables.filter(({ status }) => status !== 'running').length
  const whole = progressOf(record.step, record, partitions, undefined, now)
  const read = Math.max(
    whole.rowsRead,
    tables.reduce((rows, table) => rows + table.read, 0),
  )
  return {
    ...whole,
    rowsRead: read,
    rowsLoaded: read,
    phase: record.status === 'running' ? `${ended} of ${total} ${total === 1 ? 'table' : 'tables'}` : whole.phase,
    fraction: record.status === 'success' || total === 0 ? whole.fraction : ended / total,
  }
}

function phaseOf(landed: number, size: number | undefined): string {
  if (size === undefined) return landed === 0 ? '' : `${landed} loaded`
  return `${landed} of ${size} ${size === 1 ? 'partition' : 'partitions'} loaded`
}

/** Plan and commit count as a partition does. */
function fractionOf(landed: number, size: number | undefined): number {
  return size === undefined ? 0 : (1 + landed) / (2 + size)
}
