import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { DeleteItemCommand, type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { DynamoDbItemTable } from 'dray/internal/state/dynamodb-item-table.ts'
import { createStateClient } from 'dray/internal/state/dynamodb-state-store.ts'
import { SqliteItemTable } from 'dray/internal/state/local/sqlite-item-table.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { makePrivateFile } from 'dray-infra/internal/local/private-files.ts'
import fc from 'fast-check'
import { createStateTable } from '#test/services/create-state-table.ts'
import { answerOf, requests } from './requests.ts'

/* The same requests, one after the other, of dynalite and of a file: each is answered alike. */

const folder = mkdtempSync(join(tmpdir(), 'dray-parity-'))
let dynamo: LocalDynamoDb
let client: DynamoDBClient
let table: DynamoDbItemTable
before(async () => {
  dynamo = await startDynamoDb()
  client = createStateClient({ endpoint: dynamo.endpoint })
  await createStateTable(client, 'parity')
  table = DynamoDbItemTable.of(client, 'parity')
})
after(async () => {
  client.destroy()
  await dynamo.stop()
  rmSync(folder, { recursive: true })
})

async function emptied(): Promise<void> {
  const { Items = [] } = await client.send(new ScanCommand({ TableName: 'parity' }))
  for (const { pk, sk } of Items) {
    await client.send(new DeleteItemCommand({ TableName: 'parity', Key: { pk, sk } as never }))
  }
}

test('a file of items answers any sequence of requests as DynamoDB does', async () => {
  let files = 0
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { maxLength: 40, size: 'max' }), async (sequence) => {
      await emptied()
      const path = join(folder, `${files++}.db`)
      makePrivateFile(path)
      const local = new SqliteItemTable(path)
      try {
        for (const request of sequence) {
          const there = await answerOf(table, request)
          const here = await answerOf(local, request)
          assert.deepEqual(here, there, `${request.name} ${JSON.stringify(request.given)}`)
        }
      } finally {
        local.close()
      }
    }),
    { numRuns: Number(process.env.DRAY_RUNS ?? 60) },
  )
})
