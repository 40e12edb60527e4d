import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDbItemTable } from 'dray/internal/state/dynamodb-item-table.ts'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import { KeptEvents } from 'dray/internal/state/kept-events.ts'
import { runExpiry } from 'dray/internal/state/run-expiry.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { createStateTable } from '#test/services/create-state-table.ts'

const TABLE_NAME = 'dray'

describe('kept events', () => {
  let database: LocalDynamoDb
  let client: DynamoDBClient
  let kept: KeptEvents
  before(async () => {
    database = await startDynamoDb()
    client = createStateClient({ endpoint: database.endpoint })
    await createStateTable(client, TABLE_NAME)
    kept = new KeptEvents(DynamoDbItemTable.of(client, TABLE_NAME), runExpiry(1))
  })
  after(async () => {
    client.destroy()
    await database.stop()
  })

  test('are those of a run in the order of their ids, each once', async () => {
    await kept.keep('run-1', '2', 'second')
    await kept.keep('run-1', '1', 'first')
    await kept.keep('run-1', '1', 'first')
    await kept.keep('run-2', '1', 'of another run')

    assert.deepEqual(await kept.of('run-1'), ['first', 'second'])
    assert.deepEqual(await kept.of('run-3'), [])
  })

  test('are no steps and no partitions of the run', async () => {
    const store = createStateStore({ tableName: TABLE_NAME, endpoint: database.endpoint })
    await store.startRun({ id: 'run-4', workflow: 'daily', startTime: 0, runner: 'test', trigger: 'manual' })
    await kept.keep('run-4', '1', 'event')

    const detail = await store.run('run-4')

    assert.deepEqual([detail?.steps, detail?.partitions], [[], []])
    store.close()
  })
})

test('a run is kept as long as the variable says, which must be a number of days', () => {
  const daysOf = (variable: string | undefined) => {
    if (variable === undefined) delete process.env.STATE_KEEP_RUNS_DAYS
    else process.env.STATE_KEEP_RUNS_DAYS = variable
    return Math.round((runExpiry()() - Date.now() / 1000) / 86_400)
  }

  assert.deepEqual([daysOf(undefined), daysOf(''), daysOf('400')], [90, 90, 400])
  for (const wrong of ['soon', '0', '1.5', '-3']) assert.throws(() => daysOf(wrong), /STATE_KEEP_RUNS_DAYS/)
  delete process.env.STATE_KEEP_RUNS_DAYS
})
