import { sumOfSpent } from '#dray/messages/spent.ts'
import type { PartitionRecord, RunDetail, StepRecord } from '#dray/state/state-store.ts'
import { type CostParts, costParts, requestsOf, runRequests, taskRequests } from './capacity.ts'

/** What a run has cost. Calls are measured; the other requests are those that `estimate` counts, of what has run. */
export interface RunCost {
  readonly usDollars: number
  readonly parts: CostParts
  /** What `dray plan` said before: the sum over its pipelines; null where none has come so far. */
  readonly plannedUsDollars: number | null
  readonly calls: number
  /** Calls that are known of, and whose duration is not: Loads that failed. Each counts as the mean of the others. */
  readonly callsAssumed: number
  readonly gigabyteSeconds: number
  readonly stateTransitions: number
}

type Requests = typeof runRequests

/** Null for a run on a laptop, and for one of which no call has been measured. */
export function runCost({ run, steps, partitions }: RunDetail): RunCost | null {
  const { spent } = sumOfSpent([run, ...steps, ...partitions].map((one) => one.spent))
  if (run.runner !== 'stepfunctions' || spent === undefined) return null
  const failedLoads = partitions.reduce((sum, partition) => sum + failedLoadsOf(partition), 0)
  const calls = spent.calls + failedLoads
  const gigabyteSeconds = ((spent.megabyte_ms / 1024 / 1000) * calls) / spent.calls
  const ofPipelines = Map.groupBy(partitions, ({ pipeline }) => pipeline)
  const asked = [runRequests, ...steps.map((step) => requestsOfStep(step, ofPipelines.get(step.step) ?? []))]
  const sum = (of: keyof Requests) => asked.reduce((total, one) => total + one[of], 0)
  const requests = {
    stateTransitions: sum('stateTransitions') + failedLoads,
    s3Puts: sum('s3Puts'),
    s3Gets: sum('s3Gets'),
    dynamoDbWrites: sum('dynamoDbWrites') + failedLoads,
  }
  const parts = costParts({ gigabyteSeconds, lambdaRequests: calls, ...requests })
  const planned = steps.flatMap(({ plannedCost }) => plannedCost ?? [])
  return {
    usDollars: total(Object.values(parts)),
    parts,
    plannedUsDollars: planned.length === 0 ? null : total(planned),
    calls,
    callsAssumed: failedLoads,
    gigabyteSeconds,
    stateTransitions: requests.stateTransitions,
  }
}

function failedLoadsOf({ attempts, status }: PartitionRecord): number {
  return Math.max(0, attempts - (status === 'success' ? 1 : 0))
}

/** A pipeline is known by what its Plan has written. */
function requestsOfStep(step: StepRecord, partitions: readonly PartitionRecord[]): Requests {
  if (step.plannedCost === undefined) return taskRequests
  const sum = (of: 'read' | 'bytes') => partitions.reduce((total, one) => total + one[of], 0)
  const rows = sum('read')
  return requestsOf({ partitions: partitions.length, rows, rowBytes: rows === 0 ? 0 : sum('bytes') / rows })
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0)
}
