import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { createStateTable } from '#test/services/create-state-table.ts'

let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dray-dynamodb-'))
})

after(async () => {
  await rm(folder, { recursive: true })
})

async function withStore<T>(
  database: LocalDynamoDb,
  work: (store: ReturnType<typeof createStateStore>) => Promise<T>,
): Promise<T> {
  const client = createStateClient({ endpoint: database.endpoint })
  const store = createStateStore({ tableName: 'dray', endpoint: database.endpoint })
  try {
    await createStateTable(client, 'dray')
    return await work(store)
  } finally {
    client.destroy()
    store.close()
  }
}

test('keeps in its folder what was written before it stopped', async () => {
  const first = await startDynamoDb({ folder: join(folder, 'kept') })
  await withStore(first, (store) => store.setLastRun('orders', '2026-01-01', 0))
  await first.stop()

  const second = await startDynamoDb({ folder: join(folder, 'kept') })
  const state = await withStore(second, (store) => store.pipeline('orders'))
  await second.stop()

  assert.equal(state?.lastRun, '2026-01-01')
})

test('keeps nothing without a folder', async () => {
  const first = await startDynamoDb()
  await withStore(first, (store) => store.setLastRun('orders', '2026-01-01', 0))
  await first.stop()

  const second = await startDynamoDb()
  const state = await withStore(second, (store) => store.pipeline('orders'))
  await second.stop()

  assert.equal(state, null)
})

test('refuses a folder that is in use, and takes it once it is free', async () => {
  const path = join(folder, 'shared')
  const first = await startDynamoDb({ folder: path })

  await assert.rejects(startDynamoDb({ folder: path }), { name: 'Configuration', message: /used by another process/ })
  await first.stop()
  const second = await startDynamoDb({ folder: path })

  assert.equal(await withStore(second, (store) => store.pipeline('orders')), null)
  await second.stop()
})

test('refuses a port that is in use, and leaves its folder free', async () => {
  const path = join(folder, 'port')
  const first = await startDynamoDb()
  const port = Number(new URL(first.endpoint).port)

  await assert.rejects(startDynamoDb({ folder: path, port }), { name: 'Configuration', message: new RegExp(`${port}`) })
  await first.stop()
  const second = await startDynamoDb({ folder: path, port })

  assert.equal(Number(new URL(second.endpoint).port), port)
  await second.stop()
})

test('listens on the loopback address alone', async () => {
  const database = await startDynamoDb()

  assert.equal(new URL(database.endpoint).hostname, '127.0.0.1')
  await database.stop()
})

test('survives a client that goes away in the middle of a request', async () => {
  const database = await startDynamoDb()
  const { port, hostname, username } = new URL(database.endpoint)
  const socket = connect(Number(port), hostname)

  await new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
    socket.write(
      `POST / HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: ${username}\r\ncontent-length: 1000\r\n\r\nhalf`,
      () => {
        setImmediate(() => socket.resetAndDestroy())
      },
    )
  })

  assert.equal(await withStore(database, (store) => store.pipeline('orders')), null)
  await database.stop()
})

test('stops although clients keep their connections open, and only once', async () => {
  const database = await startDynamoDb()
  const client = createStateClient({ endpoint: database.endpoint })
  await createStateTable(client, 'dray')

  await Promise.all([database.stop(), database.stop()])

  await assert.rejects(fetch(new URL(database.endpoint).origin))
  client.destroy()
})
