import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { S3Client } from '@aws-sdk/client-s3'
import { readJson, readJsonLines, writeJson, writeJsonArray, writeJsonLines } from 'dray/internal/staging/documents.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { S3StagingStore } from 'dray/internal/staging/s3-staging-store.ts'
import { type Endpoints, startEndpoints } from 'dray-infra/internal/local/isolated/endpoints.ts'
import { KeptObjects } from 'dray-infra/internal/local/isolated/kept-objects.ts'

const BUCKET = 'staging'
const TOKEN = 'a1b2c3'
let endpoints: Endpoints
let client: S3Client
let folder: string
let kept: KeptObjects

before(async () => {
  endpoints = await startEndpoints({ dynamodb: 'http://127.0.0.1:1', token: TOKEN, bucket: BUCKET })
  const credentials = { accessKeyId: TOKEN, secretAccessKey: 'test' }
  client = new S3Client({ endpoint: endpoints.s3, region: 'eu-north-1', forcePathStyle: true, credentials })
  folder = await mkdtemp(join(tmpdir(), 'dray-kept-'))
  kept = new KeptObjects({ endpoint: endpoints.s3, token: TOKEN, bucket: BUCKET, folder })
})
after(async () => {
  kept.close()
  client.destroy()
  await endpoints.stop()
  await rm(folder, { recursive: true })
})

test('keeps plans and quarantined rows where the folder store reads them by the same references, and no batch', async () => {
  const staging = new S3StagingStore({ bucket: BUCKET, client })
  const plan = await writeJson(staging, 'runs/r/orders/_plan', { pipeline: 'orders' })
  await writeJsonLines(staging, 'runs/r/orders/0/_extracted', [1])
  await kept.keep()
  const rows = await writeJsonLines(staging, 'quarantine/orders/r', [{ id: 'ä\u2028' }])
  await kept.keep()

  const store = new FolderStagingStore(folder)
  const quarantined = await Array.fromAsync(readJsonLines(store, rows))

  assert.deepEqual(await store.list(''), [plan.key, rows.key].sort())
  assert.deepEqual(await readJson(store, plan), { pipeline: 'orders' })
  assert.deepEqual(quarantined, [{ id: 'ä\u2028' }])
  assert.equal((await stat(join(folder, rows.key))).mode & 0o777, 0o600)
})

test('keeps what several steps ask for at the same time', async () => {
  const staging = new S3StagingStore({ bucket: BUCKET, client })
  const plans = await Promise.all(
    [1, 2, 3, 4].map((number) => writeJson(staging, `runs/${number}/orders/_plan`, number)),
  )

  await Promise.all(plans.map(() => kept.keep()))

  const store = new FolderStagingStore(folder)
  assert.deepEqual(await Promise.all(plans.map((plan) => readJson(store, plan))), [1, 2, 3, 4])
})

test('reads the items of a Distributed Map from the bucket', async () => {
  const { key } = await writeJsonArray(new S3StagingStore({ bucket: BUCKET, client }), 'runs/r/orders/_items', [
    { partition: 0 },
  ])

  const items = await kept.readItems({ key })

  assert.deepEqual(items, [{ partition: 0 }])
})

test('gives a later run what earlier ones have left, by the same references, and keeps it no second time', async (context) => {
  const store = new FolderStagingStore(folder)
  const plan = await writeJson(store, 'runs/earlier/orders/_plan', { pipeline: 'orders' })
  const batch = await writeJson(store, 'runs/earlier/orders/0/_extracted', [1])
  const rows = await writeJsonLines(store, 'quarantine/orders/earlier', [{ id: 1 }])
  const later = await startEndpoints({ dynamodb: 'http://127.0.0.1:1', token: TOKEN, bucket: BUCKET })
  const credentials = { accessKeyId: TOKEN, secretAccessKey: 'test' }
  const other = new S3Client({ endpoint: later.s3, region: 'eu-north-1', forcePathStyle: true, credentials })
  const objects = new KeptObjects({ endpoint: later.s3, token: TOKEN, bucket: BUCKET, folder })
  context.after(async () => {
    objects.close()
    other.destroy()
    await later.stop()
  })

  await objects.restore()
  await rm(join(folder, rows.key))
  await objects.keep()

  const staging = new S3StagingStore({ bucket: BUCKET, client: other })
  assert.deepEqual(await readJson(staging, plan), { pipeline: 'orders' })
  assert.deepEqual(await Array.fromAsync(readJsonLines(staging, rows)), [{ id: 1 }])
  await assert.rejects(readJson(staging, batch), { name: 'StagedObjectMissing' })
  assert.ok(!(await store.list('quarantine/orders/earlier')).includes(rows.key))
})

test('has nothing to give before the first run', async () => {
  const objects = new KeptObjects({
    endpoint: endpoints.s3,
    token: TOKEN,
    bucket: BUCKET,
    folder: join(folder, 'missing'),
  })

  await objects.restore()

  objects.close()
})
