import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { appendToLog, type QuarantineRecord } from 'dray/internal/pipeline/quarantine/log.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import { writeJsonLines } from 'dray/internal/staging/documents.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { S3StagingStore } from 'dray/internal/staging/s3-staging-store.ts'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { pruneStaging } from 'dray-infra/internal/local/prune-staging.ts'
import { createStateTable } from '#test/services/create-state-table.ts'

const HOUR = 3600 * 1000
const DAY = 24 * HOUR
const NOTHING = { files: 0, closedRows: 0 }

let folder = ''
let root = ''
let dynamodb: LocalDynamoDb
let state: TableStateStore

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
    'runs/done/orders/_plan/1': 0,
    'runs/done/orders/0/_extracted/2': 0,
    'runs/broken/orders/_plan/3': 29 * DAY,
    'runs/busy/orders/_plan/4': 40 * DAY,
    'runs/unknown/orders/_plan/5': DAY,
  })

  const removed = await pruneStaging(new FolderStagingStore(root), state)

  assert.deepEqual(removed, { files: 2, closedRows: 0 })
  const files = (await left()).filter((path) => /\d$/.test(path))
  assert.deepEqual(files, ['runs/broken/orders/_plan/3', 'runs/busy/orders/_plan/4', 'runs/unknown/orders/_plan/5'])
  assert.ok(!(await left()).includes('runs/done'))
})

test('what is older than thirty days goes, but for the quarantine; younger ones stay whatever their run', async () => {
  await stage({
    'runs/broken/orders/_plan/1': 31 * DAY,
    'runs/unknown/orders/_plan/2': 31 * DAY,
    'quarantine/orders/done/3': 29 * DAY,
    'quarantine/orders/done/4': 31 * DAY,
    'findings/orders/done/5': DAY,
    'findings/orders/done/6': 31 * DAY,
    'quarantine-log/orders/7': 31 * DAY,
  })

  await pruneStaging(new FolderStagingStore(root), state)

  const files = (await left()).filter((path) => /\d$/.test(path))
  // What is no object of the store is damaged, and stays.
  assert.deepEqual(files, [
    'findings/orders/done/5',
    'quarantine-log/orders/7',
    'quarantine/orders/done/3',
    'quarantine/orders/done/4',
  ])
})

/** A row as a run quarantines it. */
const rowOf = (run: string, id: string): QuarantinedRow => ({
  run,
  pipeline: 'orders',
  partition: 0,
  step: 'transform',
  errors: [{ field: 'id', code: 'bad', message: 'bad' }],
  row: { id },
})

/** Quarantines rows in one object, and closes those that are named; says how to see what is left. */
async function quarantine(store: FolderStagingStore, run: string, ids: string[], closed: string[]): Promise<void> {
  await writeJsonLines(
    store,
    `quarantine/orders/${run}`,
    ids.map((id) => rowOf(run, id)),
  )
  const records: QuarantineRecord[] = []
  for await (const { id, row } of quarantinedRows(store, 'orders', { run })) {
    const said = { action: 'landed', reason: 'a row of its key has landed', by: 'later' } as const
    if (closed.includes(row.id ?? '')) records.push({ id, ...said, at: new Date().toISOString() })
  }
  if (records.length > 0) await appendToLog(store, 'orders', records)
}

test('a clock 40 days ahead removes no open row, and only what the log has closed is pruned and counted', async () => {
  const store = new FolderStagingStore(root)
  await quarantine(store, 'r1', ['1', '2'], ['1', '2'])
  await quarantine(store, 'r2', ['3', '4'], ['3'])
  await quarantine(store, 'r3', ['5'], [])
  const today = await pruneStaging(store, state)

  const ahead = await pruneStaging(store, state, Date.now() + 40 * DAY)

  const rows: string[] = []
  for await (const { run, row, record } of quarantinedRows(store, 'orders')) {
    rows.push(`${run} ${row.id} ${record?.action ?? 'open'}`)
  }
  assert.deepEqual([today, ahead], [NOTHING, { files: 2, closedRows: 2 }])
  assert.deepEqual(rows, ['r2 3 landed', 'r2 4 open', 'r3 5 open'])
})

test('a log that cannot be read lets no row of the quarantine go', async () => {
  const store = new FolderStagingStore(root)
  await quarantine(store, 'r1', ['1'], ['1'])
  const [log] = await store.list('quarantine-log')
  await truncate(join(root, log as string), 30)

  const ahead = await pruneStaging(store, state, Date.now() + 40 * DAY)

  assert.deepEqual(ahead, NOTHING)
})

test('half-written files go once nobody has written to them for an hour, whatever their run', async () => {
  await stage({
    'runs/busy/orders/0/_extracted/.1.partial': 2 * HOUR,
    'runs/busy/orders/1/_extracted/.2.partial': 0,
    'quarantine/orders/busy/.3.partial': 2 * HOUR,
    'quarantine/orders/busy/4': 2 * HOUR,
  })

  await pruneStaging(new FolderStagingStore(root), state)

  const files = (await left()).filter((path) => /\d(\.partial)?$/.test(path) && !/\/\d$/.test(path))
  assert.deepEqual(files, ['runs/busy/orders/1/_extracted/.2.partial'])
  assert.ok((await left()).includes('quarantine/orders/busy/4'))
})

test('a folder that is not there yet, and S3, which expires objects itself, are left alone', async () => {
  const missing = new FolderStagingStore(join(root, 'missing'))
  const s3 = new S3StagingStore({ bucket: 'nowhere' })

  assert.deepEqual([await pruneStaging(missing, state), await pruneStaging(s3, state)], [NOTHING, NOTHING])
})
