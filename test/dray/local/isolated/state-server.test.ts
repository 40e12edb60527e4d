import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { BatchGetItemCommand, type DynamoDBClient, QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { type StateServer, startStateServer } from 'dray-infra/internal/local/isolated/state-server.ts'
import { stateStoreContract } from '#test/contracts/state-store.ts'
import { type LocalTable, openLocalTable } from '#test/state/local/open-local-table.ts'

/* Functions as they are deployed, which speak to DynamoDB by the SDK, see the items that the command sees. */

let local: LocalTable
let server: StateServer
let store: TableStateStore
let client: DynamoDBClient
before(async () => {
  local = openLocalTable()
  server = await startStateServer(local.path)
  store = createStateStore({ tableName: 'dray', endpoint: server.endpoint })
  client = createStateClient({ endpoint: server.endpoint })
})
after(async () => {
  store.close()
  client.destroy()
  await server.stop()
  local.close()
})

stateStoreContract('the state store on a served file', () => store)

describe('a served file of items', () => {
  test('is what the command has, too', async () => {
    const here = new TableStateStore(local.table)
    await here.setLastRun('shared', 'a', 0)

    const lease = await store.acquireLease('shared', 'run-1', 0, 1000)
    await store.commit(lease, 'b')

    assert.equal(lease.lastRun, 'a')
    assert.equal((await here.pipeline('shared'))?.lastRun, 'b')
  })

  test('is read page after page', async () => {
    for (let place = 0; place < 250; place++) {
      await store.startRun({ id: `p${place}`, workflow: 'paged', startTime: place, runner: 'test', trigger: 'manual' })
    }

    const runs = await store.runs({ workflow: 'paged', status: 'running', limit: 1_000 })

    assert.deepEqual(
      runs.map(({ startTime }) => startTime),
      Array.from({ length: 250 }, (_, place) => 249 - place),
    )
  })

  test('knows the operations that the store uses, and of their fields those alone', async () => {
    const names = { dray: { Keys: [{ pk: { S: 'a' }, sk: { S: 'b' } }] } }
    const query = {
      TableName: 'dray',
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: 'a' } },
    }

    await assert.rejects(client.send(new ScanCommand({ TableName: 'dray' })), /Scan is not known here/)
    await assert.rejects(
      client.send(new BatchGetItemCommand({ RequestItems: names })),
      /BatchGetItem is not known here/,
    )
    await assert.rejects(client.send(new QueryCommand({ ...query, Select: 'COUNT' })), {
      name: 'ValidationException',
      message: /Select is not known here/,
    })
  })
})
