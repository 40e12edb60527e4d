import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import { emptyStep } from 'dray/internal/state/state-store.ts'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { stateStoreContract } from '#test/contracts/state-store.ts'
import { createStateTable } from '#test/services/create-state-table.ts'

const TABLE_NAME = 'dray'
let database: LocalDynamoDb
let client: DynamoDBClient
let store: TableStateStore

before(async () => {
  database = await startDynamoDb()
  client = createStateClient({ endpoint: database.endpoint })
  await createStateTable(client, TABLE_NAME)
  store = createStateStore({ tableName: TABLE_NAME, endpoint: database.endpoint })
})

after(async () => {
  client.destroy()
  store.close()
  await database.stop()
})

stateStoreContract('the state store on dynalite', () => store)

test('creates its table once, however often it is asked to', async () => {
  await Promise.all([1, 2, 3].map(() => createStateTable(client, 'created-once')))
  await createStateTable(client, 'created-once')

  assert.deepEqual((await client.send(new ScanCommand({ TableName: 'created-once' }))).Items, [])
})

test('writes the attributes that the design names', async () => {
  const id = randomUUID()
  const lease = await store.acquireLease(id, 'run-1', 0, 1000)
  await store.startRun({ id, workflow: 'daily', startTime: 1500, runner: 'stepfunctions', trigger: 'schedule' })
  await store.finishRun(id, { status: 'success', endTime: 4000, recordsProcessed: 3, recordsFailed: 1, error: null })
  const item = async (pk: string, sk: string) =>
    (await client.send(new GetItemCommand({ TableName: TABLE_NAME, Key: { pk: { S: pk }, sk: { S: sk } } }))).Item

  const held = await item(`PIPELINE#${id}`, 'STATE')
  await store.commit(lease, '2026-01-01')
  const state = await item(`PIPELINE#${id}`, 'STATE')
  const run = await item(`RUN#${id}`, 'META')

  assert.deepEqual(
    [held?.lease_owner, held?.lease_expires_at, held?.epoch],
    [{ S: 'run-1' }, { N: '1000' }, { N: '1' }],
  )
  assert.deepEqual([state?.last_run, state?.version], [{ S: '2026-01-01' }, { N: '1' }])
  assert.deepEqual([run?.job_name, run?.status], [{ S: 'daily' }, { S: 'success' }])
  assert.deepEqual(run?.start_time, { S: '1970-01-01T00:00:01.500Z' })
  assert.deepEqual(run?.end_time, { S: '1970-01-01T00:00:04.000Z' })
  assert.deepEqual(run?.execution_time_seconds, { N: '2.5' })
  assert.deepEqual([run?.records_processed, run?.records_failed], [{ N: '3' }, { N: '1' }])
})

test('lets what it knows of runs expire, and never what it knows of pipelines', async (t) => {
  const brief = createStateStore({ tableName: TABLE_NAME, endpoint: database.endpoint, keepRunsDays: 2 })
  t.after(() => brief.close())
  const id = randomUUID()
  await brief.setLastRun(id, 'a', 0)
  await brief.acquireLease(id, 'run-1', 0, 1000)
  await brief.startRun({ id, workflow: 'daily', startTime: 0, runner: 'local', trigger: 'manual' })
  const key = (pk: string, sk: string) => ({ TableName: TABLE_NAME, Key: { pk: { S: pk }, sk: { S: sk } } })

  const run = await client.send(new GetItemCommand(key(`RUN#${id}`, 'META')))
  const state = await client.send(new GetItemCommand(key(`PIPELINE#${id}`, 'STATE')))

  const days = (Number(run.Item?.expires_at?.N) - Date.now() / 1000) / 86_400
  assert.ok(days > 1.99 && days < 2.01)
  assert.equal(state.Item?.expires_at, undefined)
})

test('sorts pipelines by the time of their first run, so that no entry of an index moves', async () => {
  const id = randomUUID()
  const times: unknown[] = []
  for (const now of [1_000, 9_000]) {
    await store.acquireLease(id, `run-${now}`, now, now + 1_000)
    const read = { TableName: TABLE_NAME, Key: { pk: { S: `PIPELINE#${id}` }, sk: { S: 'STATE' } } }
    times.push((await client.send(new GetItemCommand(read))).Item?.start_time)
  }
  assert.deepEqual(times, [{ S: '1970-01-01T00:00:01.000Z' }, { S: '1970-01-01T00:00:01.000Z' }])
})

test('takes table and endpoint from the environment, and says when the table is not named', async (t) => {
  const saved = { ...process.env }
  t.after(() => {
    process.env = saved
  })
  process.env = { ...saved, STATE_TABLE_NAME: '' }

  assert.throws(() => createStateStore(), { name: 'Configuration', message: /STATE_TABLE_NAME/ })
  process.env = { ...saved, STATE_TABLE_NAME: TABLE_NAME, STATE_ENDPOINT: database.endpoint }
  const fromEnvironment = createStateStore()
  t.after(() => fromEnvironment.close())
  await fromEnvironment.pipelines()
})

test('says that its table is missing, as an error that a retry does not cure', async (t) => {
  const missing = createStateStore({ tableName: 'no-such-table', endpoint: database.endpoint })
  t.after(() => missing.close())

  await assert.rejects(missing.acquireLease('orders', 'run-1', 0, 1000), { name: 'Terminal', message: /no-such-table/ })
  await assert.rejects(missing.runs({ limit: 1 }), { name: 'Terminal' })
})

describe('items have a format', () => {
  const key = (id: string) => ({ TableName: TABLE_NAME, Key: { pk: { S: `PIPELINE#${id}` }, sk: { S: 'STATE' } } })

  test('which each of them says', async () => {
    const id = randomUUID()
    await store.acquireLease(id, 'run-1', 0, 1000)
    await store.startRun({ id, workflow: 'daily', startTime: 0, runner: 'local', trigger: 'manual' })
    await store.countAttempt({ runId: id, pipeline: 'orders', partition: 0 })
    await store.putStep(emptyStep(id, 'orders'))

    const { Item: state = {} } = await client.send(new GetItemCommand(key(id)))
    const { Items: items = [] } = await client.send(
      new QueryCommand({
        TableName: TABLE_NAME,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: `RUN#${id}` } },
      }),
    )
    assert.equal(items.length, 3)
    for (const item of [state, ...items]) assert.deepEqual(item.format_version, { N: '1' })
  })

  test('and those from before are of the first one', async () => {
    const id = randomUUID()
    const { TableName, Key } = key(id)
    const item = { ...Key, pipeline: { S: id }, version: { N: '3' }, epoch: { N: '7' }, last_run: { S: 'a' } }
    await client.send(new PutItemCommand({ TableName, Item: item }))

    const lease = await store.acquireLease(id, 'run-1', 0, 1000)

    assert.deepEqual(lease, {
      pipeline: id,
      owner: 'run-1',
      epoch: 8,
      version: 3,
      lastRun: 'a',
      commitEpoch: 0,
      source: null,
    })
  })

  test('and what Dray has not written is refused by its name, not taken for nothing', async () => {
    const id = randomUUID()
    const wrong = [
      ...[
        { last_run: { N: '7' } },
        { epoch: { S: 'x' } },
        { epoch: { N: '-1' } },
        { lease_expires_at: { N: '12345678901234567890.5' } },
      ],
      ...[{ pending: { S: 'no' } }, { source_identity: { S: '{' } }, { lease_owner: { L: [] } }],
    ]

    for (const attribute of wrong) {
      const [name = ''] = Object.keys(attribute)
      const Item = { ...key(id).Key, pipeline: { S: id }, ...attribute }
      await client.send(new PutItemCommand({ TableName: TABLE_NAME, Item }))

      const said =
        name === 'lease_expires_at' ? /number that Dray has not written/ : new RegExp(` in ${name}, which is not `)
      await assert.rejects(store.pipeline(id), { name: 'Terminal', message: said }, name)
    }
    await client.send(new DeleteItemCommand(key(id)))
  })

  test('and one that a newer version has written is neither read nor changed', async () => {
    const id = randomUUID()
    await store.setLastRun(id, 'a', 0)
    await store.startRun({ id, workflow: 'daily', startTime: 0, runner: 'local', trigger: 'manual' })
    const run = { TableName: TABLE_NAME, Key: { pk: { S: `RUN#${id}` }, sk: { S: 'META' } } }
    const newer = {
      UpdateExpression: 'SET format_version = :newer',
      ExpressionAttributeValues: { ':newer': { N: '2' } },
    }
    await client.send(new UpdateItemCommand({ ...key(id), ...newer }))
    await client.send(new UpdateItemCommand({ ...run, ...newer }))
    const before = await client.send(new GetItemCommand(key(id)))
    const refused = { name: 'Terminal', message: /of format 2, written by a newer version of Dray .* Deploy the newer/ }

    await assert.rejects(store.acquireLease(id, 'run-1', 0, 1000), refused)
    await assert.rejects(store.setLastRun(id, 'b', 0), refused)
    await assert.rejects(store.pipeline(id), refused)
    await assert.rejects(store.run(id), refused)
    await assert.rejects(
      store.finishRun(id, { status: 'success', endTime: 1, recordsProcessed: 0, recordsFailed: 0, error: null }),
      refused,
    )

    assert.deepEqual((await client.send(new GetItemCommand(key(id)))).Item, before.Item)
    await client.send(new DeleteItemCommand(key(id)))
    await client.send(new DeleteItemCommand(run))
  })
})
