import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  type QueryCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import type { Item } from 'dray/internal/state/attributes.ts'
import { DynamoDbItemTable } from 'dray/internal/state/dynamodb-item-table.ts'
import { PipelineLeases } from 'dray/internal/state/pipeline-leases.ts'
import { RunMetrics } from 'dray/internal/state/run-metrics.ts'
import { StateRequests } from 'dray/internal/state/state-requests.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { stateTable } from 'dray/internal/state/table-definition.ts'
import { directly, type Io } from './io.ts'
import { holds, updated } from './state-expressions.ts'

/** One DynamoDB table in memory, with the conditional requests that the state store makes of it. */
export class MemoryStateTable {
  readonly #items = new Map<string, Item>()
  readonly #io: Io
  /** Told of each item written, before and after. */
  onWrite: (before: Item, after: Item) => void = () => {}

  constructor(io: Io = directly) {
    this.#io = io
  }

  /** Every item is lost. */
  clear(): void {
    this.#items.clear()
  }

  /** What the state store takes for its client. */
  get client(): DynamoDBDocumentClient {
    const send = (command: { readonly constructor: { readonly name: string }; readonly input: unknown }) =>
      this.#io(
        {
          name: `state ${command.constructor.name} ${describe(command.input as never)}`,
          fault: () => Object.assign(new Error('the connection timed out'), { name: 'TimeoutError' }),
        },
        () => this.#answer(command as never),
      )
    return { send } as unknown as DynamoDBDocumentClient
  }

  #answer(command: GetCommand | PutCommand | UpdateCommand | QueryCommand | DeleteCommand): unknown {
    if (command instanceof GetCommand) return { Item: this.#copyOf(keyOf(command.input.Key as Item)) }
    if (command instanceof QueryCommand) return { Items: this.#query(command.input) }
    if (command instanceof PutCommand) {
      const { Item: item = {}, ...given } = command.input
      this.#write(keyOf(item), given, () => structuredClone(item))
      return {}
    }
    if (command instanceof UpdateCommand) {
      const { Key: key = {}, UpdateExpression: expression, ...given } = command.input
      return { Attributes: this.#write(keyOf(key), given, (item) => updated(expression, { ...key, ...item }, given)) }
    }
    if (command instanceof DeleteCommand) {
      const { Key: key = {}, ...given } = command.input
      this.#write(keyOf(key), given, () => null)
      return {}
    }
    throw new TypeError('The simulated state table does not know this command; teach it.')
  }

  #copyOf(key: string): Item | undefined {
    const item = this.#items.get(key)
    return item && structuredClone(item)
  }

  #write(key: string, given: { ConditionExpression?: string | undefined }, change: (item: Item) => Item | null): Item {
    const before = this.#items.get(key) ?? {}
    if (!holds(given.ConditionExpression, before, given as never)) {
      throw new ConditionalCheckFailedException({ message: 'The conditional request failed', $metadata: {} })
    }
    const after = change(before)
    if (after === null) this.#items.delete(key)
    else this.#items.set(key, structuredClone(after))
    this.onWrite(before, after ?? {})
    return structuredClone(after ?? {})
  }

  #query(input: QueryCommandInput): Item[] {
    const index = [stateTable.byWorkflow, stateTable.byKind].find(({ name }) => name === input.IndexName)
    const sortKey = index?.sortKey ?? stateTable.sortKey
    const found = [...this.#items.values()].filter(
      (item) => item[sortKey] !== undefined && holds(input.KeyConditionExpression, item, input as never),
    )
    found.sort((a, b) => (String(a[sortKey]) < String(b[sortKey]) ? -1 : 1))
    if (input.ScanIndexForward === false) found.reverse()
    return structuredClone(found.filter((item) => holds(input.FilterExpression, item, input as never)))
  }
}

function keyOf(key: Item): string {
  return `${key[stateTable.partitionKey]} ${key[stateTable.sortKey]}`
}

function describe(input: { Key?: Item; Item?: Item; IndexName?: string; UpdateExpression?: string }): string {
  const key = input.Key ?? input.Item
  return `${key === undefined ? (input.IndexName ?? '') : keyOf(key)} ${input.UpdateExpression?.slice(0, 40) ?? ''}`
}

/** The real state store's parts over a table in memory. */
export function memoryStateStore(table: MemoryStateTable): StateStore {
  const requests = new StateRequests(new DynamoDbItemTable(table.client, 'simulated'))
  const leases = new PipelineLeases(requests)
  const metrics = new RunMetrics(requests, () => 0)
  return {
    acquireLease: (pipeline, owner, now, expiresAt) => leases.acquire(pipeline, owner, now, expiresAt),
    commit: (lease, ...committed) => leases.commit(lease, ...committed),
    raiseEpoch: (lease, above) => leases.raiseEpoch(lease, above),
    releaseLease: (pipeline, owner) => leases.release(pipeline, owner),
    pipeline: (name) => leases.state(name),
    pipelines: () => leases.list(),
    setLastRun: (pipeline, lastRun, now, source) => leases.setLastRun(pipeline, lastRun, now, source),
    takePending: (pipeline) => leases.takePending(pipeline),
    startRun: (run) => metrics.start(run),
    finishRun: (id, end) => metrics.finish(id, end),
    putStep: (step) => metrics.putStep(step),
    countAttempt: (partition) => metrics.countAttempt(partition),
    putPartition: (partition) => metrics.putPartition(partition),
    run: (id) => metrics.detail(id),
    runRecord: (id) => metrics.record(id),
    stepRecord: (run, step) => metrics.step(run, step),
    workflowOf: (run) => metrics.workflowOf(run),
    runs: (filter) => metrics.list(filter),
  }
}
