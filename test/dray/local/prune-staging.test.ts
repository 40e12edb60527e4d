import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { S3StagingStore } from 'dray/internal/staging/s3-staging-store.ts'
import { createStateTable } from 'dray/internal/state/create-state-table.ts'
import {
  createStateClient,
  createStateStore,
  type DynamoDbStateStore,
} from 'dray/internal/state/dynamodb-state-store.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { pruneStaging } from 'dray-infra/internal/local/prune-staging.ts'

const HOUR = 3600 * 1000
const DAY = 24 * HOUR

let folder = ''
let root = ''
let dynamodb: LocalDynamoDb
let state: DynamoDbStateStore

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dray-prune-'))
  dynamodb = await startDynamoDb()
  const client = createStateClient({ endpoint: dynamodb.endpoint })
  await createStateTable(client, 'prune')
  client.destroy()
  state = createStateStore({ tableName: 'prune', endpoint: dynamodb.endpoint })
  for (const [id, status] of Object.entries({ done: 'success', broken: 'failed', busy: null } as const)) {
    await state.startRun({ id, workflow: 'daily', startTime: 1_000, runner: 'local:here:1', trigger: 'manual' })
    const end = { endTime: 2_000, recordsProcessed: 0, recordsFailed: 0, error: null }
    if (status !== null) await state.finishRun(id, { status, ...end })
  }
})
after(async () => {
  state.close()
  await dynamodb.stop()
  await rm(folder, { recursive: true })
})
beforeEach(async () => {
  root = await mkdtemp(join(folder, 'staging-'))
})

/** Files by their keys and their ages in ms. */
async function stage(files: Readonly<Record<string, number>>): Promise<void> {
  for (const [key, age] of Object.entries(files)) {
    const path = join(root, key)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, '{}\n')
    const at = (Date.now() - age) / 1000
    await utimes(path, at, at)
  }
}

async function left(): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.map((entry) => relative(root, join(entry.parentPath, entry.name))).sort()
}

test('batches of a run that has succeeded go with their folders; those of running and failed runs stay', async () => {
  await stage({
    'runs/done/orders/plan/1': 0,
    'runs/done/orders/0/extracted/2': 0,
    'runs/broken/orders/plan/3': 29 * DAY,
    'runs/busy/orders/plan/4': 40 * DAY,
    'runs/unknown/orders/plan/5': DAY,
  })

  const removed = await pruneStaging(new FolderStagingStore(root), state)

  assert.equal(removed, 2)
  const files = (await left()).filter((path) => /\d$/.test(path))
  assert.deepEqual(files, ['runs/broken/orders/plan/3', 'runs/busy/orders/plan/4', 'runs/unknown/orders/plan/5'])
  assert.ok(!(await left()).includes('runs/done'))
})

test('what is older than thirty days goes, quarantined rows as well; younger ones stay whatever their run', async () => {
  await stage({
    'runs/broken/orders/plan/1': 31 * DAY,
    'runs/unknown/orders/plan/2': 31 * DAY,
    'quarantine/orders/done/3': 29 * DAY,
    'quarantine/orders/done/4': 31 * DAY,
    'findings/orders/done/5': DAY,
    'quarantine-log/orders/6': 31 * DAY,
    'quarantine-log/orders/7': DAY,
  })

  await pruneStaging(new FolderStagingStore(root), state)

  const files = (await left()).filter((path) => /\d$/.test(path))
  assert.deepEqual(files, ['findings/orders/done/5', 'quarantine-log/orders/7', 'quarantine/orders/done/3'])
})

test('half-written files go once nobody has written to them for an hour, whatever their run', async () => {
  await stage({
    'runs/busy/orders/0/extracted/.1.partial': 2 * HOUR,
    'runs/busy/orders/1/extracted/.2.partial': 0,
    'quarantine/orders/busy/.3.partial': 2 * HOUR,
    'quarantine/orders/busy/4': 2 * HOUR,
  })

  await pruneStaging(new FolderStagingStore(root), state)

  const files = (await left()).filter((path) => /\d(\.partial)?$/.test(path) && !/\/\d$/.test(path))
  assert.deepEqual(files, ['runs/busy/orders/1/extracted/.2.partial'])
  assert.ok((await left()).includes('quarantine/orders/busy/4'))
})

test('a folder that is not there yet, and S3, which expires objects itself, are left alone', async () => {
  const missing = new FolderStagingStore(join(root, 'missing'))
  const s3 = new S3StagingStore({ bucket: 'nowhere' })

  assert.deepEqual([await pruneStaging(missing, state), await pruneStaging(s3, state)], [0, 0])
})
