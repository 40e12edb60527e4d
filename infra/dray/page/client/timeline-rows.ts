import type { Call } from '../calls.ts'
import type { RunDetailDocument, RunStepDocument } from '../documents.ts'

export interface Bar {
  readonly start: number
  readonly end: number
  readonly kind: string
  readonly title: string
}

/** A line of the timeline: a step, or one of its partitions. */
export interface TimelineRow {
  readonly step: string
  readonly partition: number | null
  readonly status: string
  readonly bars: readonly Bar[]
  /** From the start of the run until it could start: the steps before it were at work. */
  readonly waits: { readonly start: number; readonly end: number } | null
  readonly isCritical: boolean
  readonly retries: number
  readonly read: number
  readonly partitions: number
}

/** Steps in the order of the workflow, each followed by its partitions where it is unfolded. */
export function timelineRows(
  { steps, partitions, calls, criticalPath }: RunDetailDocument,
  unfolded: ReadonlySet<string>,
  now: number,
): TimelineRow[] {
  const callsOf = Map.groupBy(calls, ({ step }) => step)
  const recordsOf = Map.groupBy(partitions, ({ pipeline }) => pipeline)
  return steps.flatMap((step) => {
    const its = callsOf.get(step.name) ?? []
    const ofPartitions = Map.groupBy(
      its.filter(({ partition }) => partition !== null),
      ({ partition }) => partition as number,
    )
    const records = recordsOf.get(step.name) ?? []
    const numbers = [...new Set([...ofPartitions.keys(), ...records.map(({ partition }) => partition)])].sort(
      (a, b) => a - b,
    )
    const row = stepRow(step, { steps, its, criticalPath, partitions: numbers.length, now })
    if (!unfolded.has(step.name)) return [row]
    return [
      row,
      ...numbers.map((number): TimelineRow => {
        const calledFor = ofPartitions.get(number) ?? []
        const record = records.find(({ partition }) => partition === number)
        const last = calledFor.at(-1)
        return {
          step: step.name,
          partition: number,
          status: last?.status === 'failed' ? 'failed' : (record?.status ?? last?.status ?? 'waiting'),
          bars: calledFor.map((call) => barOf(call, now)),
          waits: null,
          isCritical: false,
          retries: calledFor.length - new Set(calledFor.map(({ stage }) => stage)).size,
          read: record?.read ?? 0,
          partitions: 0,
        }
      }),
    ]
  })
}

function stepRow(
  step: RunStepDocument,
  {
    steps,
    its,
    criticalPath,
    partitions,
    now,
  }: {
    readonly steps: readonly RunStepDocument[]
    readonly its: readonly Call[]
    readonly criticalPath: readonly string[]
    readonly partitions: number
    readonly now: number
  },
): TimelineRow {
  const own = its.filter(({ partition }) => partition === null)
  const ofPartitions = its.filter(({ partition }) => partition !== null)
  const bars = own.map((call) => barOf(call, now))
  if (ofPartitions.length > 0) bars.push(spanOf(ofPartitions, now, partitions))
  if (its.length === 0 && step.start !== null)
    bars.push({ start: step.start, end: step.end ?? now, kind: 'task', title: 'the step' })
  const waitedFrom = Math.min(...steps.flatMap(({ start }) => start ?? []))
  return {
    step: step.name,
    partition: null,
    status: step.status,
    bars,
    waits: step.start !== null && step.start - waitedFrom > 1 ? { start: waitedFrom, end: step.start } : null,
    isCritical: criticalPath.includes(step.name),
    retries: retriesIn(its),
    read: step.read ?? 0,
    partitions,
  }
}

function retriesIn(calls: readonly Call[]): number {
  return calls.length - new Set(calls.map(({ stage, partition }) => `${stage} ${partition}`)).size
}

/** All partitions of a step in one bar, from the first call to the last. */
function spanOf(calls: readonly Call[], now: number, partitions: number): Bar {
  const hasFailed = calls.some(({ status }) => status === 'failed')
  return {
    start: Math.min(...calls.map(({ start }) => start)),
    end: Math.max(...calls.map(({ end }) => end ?? now)),
    kind: hasFailed ? 'partitions failed' : 'partitions',
    title: partitions === 1 ? '1 partition' : `${partitions} partitions`,
  }
}

function barOf({ stage, start, end, status, error }: Call, now: number): Bar {
  const seconds = ((end ?? now) - start) / 1000
  const said = error === null ? '' : `: ${error}`
  return {
    start,
    end: end ?? now,
    kind: `${stage} ${status}`,
    title: `${stage}, ${seconds.toFixed(2)} s, ${status}${said}`,
  }
}
