import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { TerminalError } from '#dray/errors.ts'
import type { Item } from './attributes.ts'
import { laterReport, notCountedByThisCall, notRecorded, runStillRunning } from './conditions.ts'
import type { WriteOutcome } from './item-table.ts'
import {
  cutError,
  partitionItem,
  runDetail,
  runItem,
  runRecord,
  spentItem,
  stepItem,
  stepRecord,
  timeText,
} from './items.ts'
import { type ItemKey, partitionKey, runKey, stepKey } from './keys.ts'
import type { StateRequests } from './state-requests.ts'
import type {
  LandedPartition,
  RunDetail,
  RunEnd,
  RunFilter,
  RunRecord,
  RunStart,
  StateStore,
  StepRecord,
} from './state-store.ts'
import { stateTable } from './table-definition.ts'

const PAGE_ITEMS = 100
const STATUS = { '#status': 'status' }

/** A version that knows no other ends takes a refused or an interrupted run for a failed one. */
function statusKept(status: RunEnd['status']): RunEnd['status'] {
  return status === 'refused' || status === 'interrupted' ? 'failed' : status
}

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

  async finish(id: string, end: RunEnd): Promise<void> {
    const key = runKey(id)
    const started = await this.#requests.get(key)
    if (started === null) {
      throw new TerminalError(`Run ${id} is not recorded, so its end cannot be. Was it started, or has it expired?`)
    }
    const seconds = end.endTime === null ? null : (end.endTime - runRecord(started).startTime) / 1000
    const spent = Object.entries(spentItem(end.spent))
    const outcome = await this.#requests.update(key, {
      UpdateExpression: [
        'SET #status = :status, end_time = :end_time, execution_time_seconds = :seconds, #error = :error',
        'records_processed = :processed, records_failed = :failed, is_refused = :refused, is_interrupted = :interrupted',
        ...spent.map(([name]) => `${name} = :${name}`),
      ].join(', '),
      ConditionExpression: runStillRunning,
      ExpressionAttributeNames: { ...STATUS, '#error': 'error' },
      ExpressionAttributeValues: {
        ':running': 'running',
        ':status': statusKept(end.status),
        ':refused': end.status === 'refused',
        ':interrupted': end.status === 'interrupted',
        ':end_time': end.endTime === null ? null : timeText(end.endTime),
        ':seconds': seconds,
        ':error': cutError(end.error),
        ':processed': end.recordsProcessed,
        ':failed': end.recordsFailed,
        ...Object.fromEntries(spent.map(([name, value]) => [`:${name}`, value])),
      },
    })
    if (outcome.kind !== 'unknown') return
    const item = await this.#requests.get(key)
    if (item === null || item.status !== statusKept(end.status)) throw outcome.error
  }

  putStep(step: StepRecord): Promise<void> {
    return this.#report(stepKey(step.runId, step.step), stepItem(step))
  }

  async countAttempt({ runId, pipeline, partition }: Parameters<StateStore['countAttempt']>[0]): Promise<void> {
    const key = partitionKey(runId, pipeline, partition)
    const id = randomUUID()
    const outcome = await this.#requests.update(key, {
      UpdateExpression:
        'SET run_id = :run, job_name = :pipeline, #partition = :partition, #status = if_not_exists(#status, :running), ' +
        `attempts = if_not_exists(attempts, :zero) + :one, attempt_id = :id, ${stateTable.timeToLive} = :expiry`,
      ConditionExpression: notCountedByThisCall,
      ExpressionAttributeNames: { ...STATUS, '#partition': 'partition' },
      ExpressionAttributeValues: {
        ':run': runId,
        ':pipeline': pipeline,
        ':partition': partition,
        ':running': 'running',
        ':zero': 0,
        ':one': 1,
        ':id': id,
        ':expiry': this.#expiry(),
      },
    })
    if (outcome.kind === 'unknown' && (await this.#requests.get(key))?.attempt_id !== id) throw outcome.error
  }

  async putPartition(partition: LandedPartition): Promise<void> {
    const key = partitionKey(partition.runId, partition.pipeline, partition.partition)
    const item = partitionItem(partition)
    const attributes = Object.entries({ ...item, [stateTable.timeToLive]: this.#expiry() })
    const outcome = await this.#requests.update(key, {
      UpdateExpression: `SET ${attributes.map((_, place) => `#n${place} = :v${place}`).join(', ')}`,
      ExpressionAttributeNames: Object.fromEntries(attributes.map(([name], place) => [`#n${place}`, name])),
      ExpressionAttributeValues: Object.fromEntries(attributes.map(([, value], place) => [`:v${place}`, value])),
    })
    await this.#settle(outcome, key, item)
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

  async list(filter: RunFilter): Promise<RunRecord[]> {
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
        ConditionExpression: laterReport,
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: { ':status': item.status, ':success': 'success', ':running': 'running' },
      },
    )
    await this.#settle(outcome, key, item)
  }

  async record(id: string): Promise<RunRecord | null> {
    const item = await this.#requests.get(runKey(id))
    return item === null ? null : runRecord(item)
  }

  async step(run: string, step: string): Promise<StepRecord | null> {
    const item = await this.#requests.get(stepKey(run, step))
    return item === null ? null : stepRecord(item)
  }

  async workflowOf(run: string): Promise<string | null> {
    return (await this.record(run))?.workflow ?? null
  }

  /** A lost reply is of no matter where the item says what was to be written. */
  async #settle(outcome: WriteOutcome, key: ItemKey, item: Item): Promise<void> {
    if (outcome.kind !== 'unknown') return
    const found = await this.#requests.get(key)
    const mine = Object.entries(item).every(([name, value]) => isDeepStrictEqual(found?.[name], value))
    if (!mine) throw outcome.error
  }
}
