import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { S3Client } from '@aws-sdk/client-s3'
import { type Endpoints, startEndpoints } from '#infra/local/isolated/endpoints.ts'
import { KeptObjects } from '#infra/local/isolated/kept-objects.ts'
import { readJson, readJsonLines, writeJson, writeJsonArray, writeJsonLines } from '#shared/staging/documents.ts'
import { FolderStagingStore } from '#shared/staging/folder-staging-store.ts'
import { S3StagingStore } from '#shared/staging/s3-staging-store.ts'

const bucket = 'staging'
let endpoints: Endpoints
let client: S3Client
let folder: string
let kept: KeptObjects

before(async () => {
  endpoints = await startEndpoints({ dynamodb: 'http://127.0.0.1:1', bucket })
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  client = new S3Client({ endpoint: endpoints.s3, region: 'eu-north-1', forcePathStyle: true, credentials })
  folder = await mkdtemp(join(tmpdir(), 'dray-kept-'))
  kept = new KeptObjects({ endpoint: endpoints.s3, bucket, folder })
})
after(async () => {
  kept.close()
  client.destroy()
  await endpoints.stop()
  await rm(folder, { recursive: true })
})

test('keeps plans and quarantined rows where the folder store reads them by the same references, and no batch', async () => {
  const staging = new S3StagingStore({ bucket, client })
  const plan = await writeJson(staging, 'runs/r/orders/plan', { pipeline: 'orders' })
  await writeJsonLines(staging, 'runs/r/orders/0/extracted', [1])
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
  const staging = new S3StagingStore({ bucket, client })
  const plans = await Promise.all(
    [1, 2, 3, 4].map((number) => writeJson(staging, `runs/${number}/orders/plan`, number)),
  )

  await Promise.all(plans.map(() => kept.keep()))

  const store = new FolderStagingStore(folder)
  assert.deepEqual(await Promise.all(plans.map((plan) => readJson(store, plan))), [1, 2, 3, 4])
})

test('reads the items of a Distributed Map from the bucket', async () => {
  const { key } = await writeJsonArray(new S3StagingStore({ bucket, client }), 'runs/r/orders/items', [
    { partition: 0 },
  ])

  const items = await kept.readItems({ key })

  assert.deepEqual(items, [{ partition: 0 }])
})
