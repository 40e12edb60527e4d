import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb'
import { DynamoDbItemTable } from 'dray/internal/state/dynamodb-item-table.ts'
import { createStateClient } from 'dray/internal/state/dynamodb-state-store.ts'
import { stateTable } from 'dray/internal/state/table-definition.ts'
import { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { createStateTable } from '#test/services/create-state-table.ts'

describe('what docs/operations.md says of a state table that is restored', () => {
  let dynamo: LocalDynamoDb
  let client: DynamoDBClient
  let said: string
  before(async () => {
    const page = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
    said = page.split(/^##+ /m).find((section) => section.startsWith('Restore the state table')) ?? ''
    dynamo = await startDynamoDb()
    client = createStateClient({ endpoint: dynamo.endpoint })
    await createStateTable(client, 'dray-restored')
  })
  after(async () => {
    client.destroy()
    await dynamo.stop()
  })
  const option = (name: string) => new RegExp(`--${name} '?([^'\\n]+?)'?(?: --| \\\\|\`|$)`, 'm').exec(said)?.[1] ?? ''

  test('finds the last_run of each pipeline, and of nothing else', async () => {
    const state = new TableStateStore(DynamoDbItemTable.of(client, 'dray-restored'))
    await state.setLastRun('orders', '2026-01-01 00:00:00', 1)
    await state.startRun({ id: 'r', workflow: 'orders', startTime: 1, runner: 'stepfunctions', trigger: 'manual' })

    const { Items } = await client.send(
      new QueryCommand({
        TableName: option('target-table-name'),
        IndexName: option('index-name'),
        KeyConditionExpression: option('key-condition-expression'),
        ExpressionAttributeValues: JSON.parse(option('expression-attribute-values')),
        ProjectionExpression: option('projection-expression'),
      }),
    )

    assert.deepEqual(Items, [{ pipeline: { S: 'orders' }, last_run: { S: '2026-01-01 00:00:00' } }])
  })

  test('turns on the expiry of runs again by their own attribute', () => {
    assert.equal(option('time-to-live-specification'), `Enabled=true,AttributeName=${stateTable.timeToLive}`)
  })
})
