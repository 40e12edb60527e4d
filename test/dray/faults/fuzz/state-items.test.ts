import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type AttributeValue, type DynamoDBClient, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { modeOf } from 'dray/internal/messages/run-mode.ts'
import { DynamoDbItemTable } from 'dray/internal/state/dynamodb-item-table.ts'
import { createStateClient } from 'dray/internal/state/dynamodb-state-store.ts'
import { emptyStep } from 'dray/internal/state/state-store.ts'
import { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { TableWorkflowSlots } from 'dray/internal/state/table-workflow-slots.ts'
import { requestRun } from 'dray/internal/triggers/request-run.ts'
import { followUpOf } from 'dray/internal/triggers/run-request.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import fc from 'fast-check'
import { createStateTable } from '#test/services/create-state-table.ts'
import { damaged, type Json } from './hostile-json.ts'
import { cases, unlessRefused } from './refusals.ts'

const TABLE = 'state'
const NOW = Date.parse('2026-01-01T12:00:00Z')
const workflow = { name: 'daily', pipelines: ['orders'], minInterval: 0 }
const started = { id: 'r1', workflow: 'daily', startTime: NOW, runner: 'stepfunctions', trigger: 'manual' }

let dynamo: LocalDynamoDb
let client: DynamoDBClient
let state: TableStateStore
let slots: TableWorkflowSlots
let items: readonly { readonly [name: string]: Json }[] = []
before(async () => {
  dynamo = await startDynamoDb()
  client = createStateClient({ endpoint: dynamo.endpoint })
  await createStateTable(client, TABLE)
  state = new TableStateStore(DynamoDbItemTable.of(client, TABLE))
  slots = new TableWorkflowSlots(DynamoDbItemTable.of(client, TABLE))
  const source = { server: 's', database: 'd', position: null }
  const lease = await state.acquireLease('orders', 'r0', NOW, NOW + 1000)
  await state.commit(lease, '2026-01-01 00:00:00', source)
  await state.acquireLease('orders', 'r1', NOW, NOW + 1000)
  await state.startRun({ ...started, mode: '{"keys":["1"]}', only: ['orders'] })
  await state.putStep({ ...emptyStep('r1', 'orders'), startTime: NOW, notes: ['a note'], error: 'e' })
  await state.countAttempt({ runId: 'r1', pipeline: 'orders', partition: 0 })
  const services = {
    state,
    slots,
    now: () => NOW,
    executions: { start: async () => {}, stateOf: async () => 'running' as const, stopPipelines: async () => {} },
  }
  await requestRun(workflow, [{ ...followUpOf('manual'), events: ['e1'] }], services)
  const { Items = [] } = await client.send(new ScanCommand({ TableName: TABLE }))
  items = Items.map((item) => jsonOf({ M: item }) as { [name: string]: Json })
})
after(async () => {
  client.destroy()
  await dynamo.stop()
})

function jsonOf({ S, N, BOOL, NULL, L, M }: AttributeValue): Json {
  if (S !== undefined) return S
  if (N !== undefined) return Number(N)
  if (BOOL !== undefined || NULL !== undefined) return BOOL ?? null
  if (L !== undefined) return L.map(jsonOf)
  return Object.fromEntries(Object.entries(M ?? {}).map(([name, value]) => [name, jsonOf(value)]))
}

function attributeOf(value: Json): AttributeValue {
  if (value === null) return { NULL: true }
  if (typeof value === 'string') return { S: value }
  if (typeof value === 'number') return { N: String(value) }
  if (typeof value === 'boolean') return { BOOL: value }
  if (Array.isArray(value)) return { L: value.map(attributeOf) }
  return { M: Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, attributeOf(inner)])) }
}

/** Whether DynamoDB takes it: not every number is one there, and a key of an index has its type. */
async function put(item: Json): Promise<boolean> {
  const Item = attributeOf(item).M ?? {}
  return client.send(new PutItemCommand({ TableName: TABLE, Item })).then(
    () => true,
    () => false,
  )
}

test('an item of the state table is used as it is, or refused, whatever it holds', async () => {
  const services = {
    state,
    slots,
    now: () => NOW,
    executions: { start: async () => {}, stateOf: async () => 'ended' as const, stopPipelines: async () => {} },
  }
  const source = { server: 's', database: 'd', position: null }
  const uses: (() => unknown)[] = [
    () => state.pipeline('orders'),
    () => state.pipelines(),
    () => state.acquireLease('orders', 'r2', NOW, NOW + 1000),
    () => state.acquireLease('orders', 'r1', NOW, NOW + 2000),
    () =>
      state.raiseEpoch(
        { ...source, pipeline: 'orders', owner: 'r1', epoch: 2, version: 1, lastRun: null, commitEpoch: 1, source },
        5,
      ),
    () => state.setLastRun('orders', '2026-01-02 00:00:00', NOW),
    () => state.takePending('orders'),
    async () => modeOf((await state.run('r1'))?.run ?? { mode: null }),
    async () => (await state.runs({ workflow: 'daily', limit: 5 })).map((run) => new Date(run.startTime).toISOString()),
    () => state.finishRun('r1', { status: 'failed', endTime: NOW, recordsProcessed: 1, recordsFailed: 0, error: null }),
    () => requestRun(workflow, [{ ...followUpOf('manual'), events: ['e2'] }], services),
  ]
  const changed = fc.nat().chain((place) => {
    const item = items[place % items.length] as { [name: string]: Json }
    return fc.tuple(fc.constant(item.pk), damaged(fc.constant(item), ['pk', 'sk']))
  })

  await fc.assert(
    fc.asyncProperty(changed, fc.shuffledSubarray(uses, { minLength: 3, maxLength: 3 }), async ([pk, bad], some) => {
      for (const item of items) if (item.pk === pk) assert.ok(await put(item))
      if (await put(bad)) for (const use of some) await unlessRefused(use as () => Promise<unknown>)
    }),
    cases(),
  )
})
