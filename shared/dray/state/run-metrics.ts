import { isDeepStrictEqual } from 'node:util'
import { notRecorded, runStillRunning, successStays } from './conditions.ts'
import { cutError, type Item, partitionItem, runDetail, runItem, runRecord, stepItem, timeText } from './items.ts'
import { type ItemKey, partitionKey, runKey, stepKey } from './keys.ts'
import { StateRefused } from './state-errors.ts'
import type { StateRequests } from './state-requests.ts'
import type { PartitionRecord, RunDetail, RunRecord, RunStart, RunStatus, StepRecord } from './state-store.ts'
import { stateTable } from './table-definition.ts'

const PAGE_ITEMS = 100
const STATUS = { '#status': 'status' }

/** `RUN#<id>` items: what each run, step and partition did. They expire. */
export class RunMetrics {
  readonly #requests: StateRequests
  readonly #expiry: () => number

  /** `expiry` gives the end of an item that is written now, in seconds since 1970. */
  constructor(requests: StateRequests, expiry: () => number) {
    this.#requests = requests
    this.#expiry = expiry
  }

  async start(run: RunStart): Promise<void> {
    const item = { ...runItem(run), [stateTable.timeToLive]: this.#expiry() }
    const outcome = await this.#requests.put(item, { ConditionExpression: notRecorded })
    if (outcome.kind !== 'unknown') return
    if ((await this.#requests.get(runKey(run.id))) === null) throw outcome.error
  }

  async finish(
    id: string,
    end: Pick<RunRecord, 'status' | 'endTime' | 'recordsProcessed' | 'recordsFailed' | 'error'>,
  ): Promise<void> {
    const key = runKey(id)
    const started = await this.#requests.get(key)
    if (started === null) {
      throw new StateRefused(`Run ${id} is not recorded, so its end cannot be. Was it started, or has it expired?`)
    }
    const seconds = end.endTime === null ? null : (end.endTime - runRecord(started).startTime) / 1000
    const outcome = await this.#requests.update(key, {
      UpdateExpression:
        'SET #status = :status, end_time = :end_time, execution_time_seconds = :seconds, #error = :error, ' +
        'records_processed = :processed, records_failed = :failed',
      ConditionExpression: runStillRunning,
      ExpressionAttributeNames: { ...STATUS, '#error': 'error' },
      ExpressionAttributeValues: {
        ':running': 'running',
        ':status': end.status,
        ':end_time': end.endTime === null ? null : timeText(end.endTime),
        ':seconds': seconds,
        ':error': cutError(end.error),
        ':processed': end.recordsProcessed,
        ':failed': end.recordsFailed,
      },
    })
    if (outcome.kind !== 'unknown') return
    const item = await this.#requests.get(key)
    if (item === null || item.status !== end.status) throw outcome.error
  }

  putStep(step: StepRecord): Promise<void> {
    return this.#report(stepKey(step.runId, step.step), stepItem(step))
  }

  putPartition(partition: PartitionRecord): Promise<void> {
    const { runId, pipeline, partition: number } = partition
    return this.#report(partitionKey(runId, pipeline, number), partitionItem(partition))
  }

  async detail(id: string): Promise<RunDetail | null> {
    const items: Item[] = []
    const query = this.#requests.query({
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': runKey(id).pk },
      ConsistentRead: true,
    })
    for await (const item of query) items.push(item)
    return runDetail(items)
  }

  async list(filter: { workflow?: string; status?: RunStatus; limit: number }): Promise<RunRecord[]> {
    const { workflow, status, limit } = filter
    const runs: RunRecord[] = []
    if (limit <= 0) return runs
    const items = this.#requests.query({
      ...(workflow === undefined
        ? { IndexName: stateTable.byKind.name, KeyConditionExpression: 'kind = :value' }
        : { IndexName: stateTable.byWorkflow.name, KeyConditionExpression: 'workflow = :value' }),
      ...(status === undefined ? {} : { FilterExpression: '#status = :status', ExpressionAttributeNames: STATUS }),
      ExpressionAttributeValues: {
        ':value': workflow ?? 'run',
        ...(status === undefined ? {} : { ':status': status }),
      },
      ScanIndexForward: false,
      Limit: status === undefined ? Math.min(limit, PAGE_ITEMS) : PAGE_ITEMS,
    })
    for await (const item of items) {
      runs.push(runRecord(item))
      if (runs.length >= limit) break
    }
    return runs
  }

  async #report(key: ItemKey, item: Item): Promise<void> {
    const outcome = await this.#requests.put(
      { ...key, ...item, [stateTable.timeToLive]: this.#expiry() },
      {
        ConditionExpression: successStays,
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: { ':status': item.status, ':success': 'success' },
      },
    )
    if (outcome.kind !== 'unknown') return
    const found = await this.#requests.get(key)
    const mine = Object.entries(item).every(([name, value]) => isDeepStrictEqual(found?.[name], value))
    if (!mine) throw outcome.error
  }
}
