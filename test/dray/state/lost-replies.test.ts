import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { NO_ROWS } from 'dray/internal/messages/row-counts.ts'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import type { StepRecord } from 'dray/internal/state/state-store.ts'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { createStateTable } from '#test/services/create-state-table.ts'
import { type Fate, type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts'

const TABLE_NAME = 'dray'
const TRIES = 3
let database: LocalDynamoDb
let proxy: FaultyProxy
/** Reaches DynamoDB through the proxy. */
let store: TableStateStore
/** Reaches DynamoDB directly, to prepare and to look. */
let direct: TableStateStore
let pipeline: string

before(async () => {
  database = await startDynamoDb()
  const client = createStateClient({ endpoint: database.endpoint })
  await createStateTable(client, TABLE_NAME)
  client.destroy()
  proxy = await startFaultyProxy(database.endpoint)
  direct = createStateStore({ tableName: TABLE_NAME, endpoint: database.endpoint })
})

after(async () => {
  direct.close()
  await proxy.stop()
  await database.stop()
})

beforeEach(() => {
  pipeline = randomUUID()
  proxy.fate = () => 'pass'
  proxy.seen.length = 0
  // A client of its own for each test: after many failures the SDK stops to retry.
  store = createStateStore({ tableName: TABLE_NAME, endpoint: proxy.endpoint, requestTimeout: 400 })
})

afterEach(() => {
  store.close()
})

/** Lets the writes with these numbers meet a fate, and everything else pass. */
function writesMeet(fate: Fate, ...numbers: number[]): void {
  proxy.seen.length = 0
  proxy.fate = (operation, count) => (isWrite(operation) && numbers.includes(count) ? fate : 'pass')
}

function isWrite(operation: string): boolean {
  return operation === 'UpdateItem' || operation === 'PutItem'
}

const ALL_TRIES = Array.from({ length: TRIES }, (_, index) => index + 1)

function stepOf(runId: string): StepRecord {
  return {
    runId,
    step: 'orders',
    status: 'success',
    startTime: 0,
    endTime: 1,
    executionTimeSeconds: 0.001,
    lastRunBefore: null,
    lastRunAfter: 'a',
    ...NO_ROWS,
    read: 1,
    inserted: 1,
    gone: 0,
    findings: 0,
    bytes: 1,
    error: null,
    notes: ['the window ends 300 s before now'],
    quarantine: null,
  }
}

const lost: [string, Fate, number[]][] = [
  ['the first reply is answered by 500', 'perform, then 500', [1]],
  ['the first reply is lost by a reset', 'perform, then reset', [1]],
  ['every reply is answered by 500', 'perform, then 500', ALL_TRIES],
  ['every reply is lost by a reset', 'perform, then reset', ALL_TRIES],
]

for (const [when, fate, numbers] of lost) {
  describe(`when a write is performed and ${when}`, () => {
    test('acquire gives the lease that was taken, its epoch raised once', async () => {
      writesMeet(fate, ...numbers)

      const lease = await store.acquireLease(pipeline, 'run-1', 0, 1000)

      assert.deepEqual(lease, {
        pipeline,
        owner: 'run-1',
        epoch: 1,
        version: 0,
        lastRun: null,
        commitEpoch: 0,
        source: null,
      })
      assert.equal((await direct.pipeline(pipeline))?.epoch, 1)
    })

    test('acquire takes an expired lease over once', async () => {
      await direct.acquireLease(pipeline, 'dead', 0, 1000)
      writesMeet(fate, ...numbers)

      const lease = await store.acquireLease(pipeline, 'run-2', 1000, 2000)

      assert.equal(lease.epoch, 2)
      assert.equal((await direct.pipeline(pipeline))?.epoch, 2)
    })

    test('a refused acquire still notes the follow-up', async () => {
      await direct.acquireLease(pipeline, 'run-1', 0, 1000)
      // The first write is refused by its condition and answered; the ones after it set `pending`.
      writesMeet(fate, ...numbers.map((number) => number + 1))

      await assert.rejects(store.acquireLease(pipeline, 'run-2', 1, 2000), { name: 'LeaseHeld', owner: 'run-1' })

      assert.equal((await direct.pipeline(pipeline))?.pending, true)
    })

    test('commit advances once and succeeds', async () => {
      const lease = await direct.acquireLease(pipeline, 'run-1', 0, 1000)
      writesMeet(fate, ...numbers)

      await store.commit(lease, 'a')

      const state = await direct.pipeline(pipeline)
      assert.deepEqual([state?.lastRun, state?.version, state?.leaseOwner], ['a', 1, null])
    })

    test('release says that it gave the lease back', async () => {
      await direct.acquireLease(pipeline, 'run-1', 0, 1000)
      writesMeet(fate, ...numbers)

      const released = await store.releaseLease(pipeline, 'run-1')

      assert.equal(released, true)
      assert.equal((await direct.pipeline(pipeline))?.leaseOwner, null)
    })

    test('release says so of its own write only', async () => {
      await direct.acquireLease(pipeline, 'run-1', 0, 1000)
      await direct.releaseLease(pipeline, 'run-1')
      writesMeet(fate, 1)

      assert.equal(await store.releaseLease(pipeline, 'run-1'), false)
    })

    test('acquire moves the expiry of the lease that is held, and succeeds', async () => {
      const lease = await direct.acquireLease(pipeline, 'run-1', 0, 1000)
      writesMeet(fate, ...numbers)

      assert.deepEqual(await store.acquireLease(pipeline, 'run-1', 1, 2000), lease)

      assert.equal((await direct.pipeline(pipeline))?.leaseExpiresAt, 2000)
    })

    test('an attempt at a partition is counted once', async () => {
      const id = randomUUID()
      await direct.startRun({ id, workflow: 'daily', startTime: 0, runner: 'local', trigger: 'manual' })
      writesMeet(fate, ...numbers)

      await store.countAttempt({ runId: id, pipeline: 'orders', partition: 0 })

      assert.equal((await direct.run(id))?.partitions[0]?.attempts, 1)
    })

    test('the follow-up is taken once', async () => {
      await direct.acquireLease(pipeline, 'run-1', 0, 1000)
      await assert.rejects(direct.acquireLease(pipeline, 'run-2', 1, 1000))
      writesMeet(fate, ...numbers)

      assert.equal(await store.takePending(pipeline), true)
      assert.equal(await direct.takePending(pipeline), false)
    })

    test('last_run is set once', async () => {
      writesMeet(fate, ...numbers)

      await store.setLastRun(pipeline, 'a', 0)

      const state = await direct.pipeline(pipeline)
      assert.deepEqual([state?.lastRun, state?.version], ['a', 1])
    })

    test('a run is started and ended, and its step recorded', async () => {
      const id = randomUUID()
      writesMeet(fate, ...numbers)
      await store.startRun({ id, workflow: 'daily', startTime: 0, runner: 'local', trigger: 'manual' })
      writesMeet(fate, ...numbers)
      await store.putStep(stepOf(id))
      writesMeet(fate, ...numbers)
      await store.finishRun(id, { status: 'success', endTime: 1, recordsProcessed: 1, recordsFailed: 0, error: null })

      const detail = await direct.run(id)

      assert.equal(detail?.run.status, 'success')
      assert.deepEqual(detail?.steps, [stepOf(id)])
    })
  })
}

for (const fate of ['500', 'reset', 'throttle', 'black hole'] as const) {
  const slow = fate === 'throttle' || fate === 'black hole'

  test(`says that a retry may help when no write arrives (${fate}), and has changed nothing`, async () => {
    const lease = await direct.acquireLease(pipeline, 'run-1', 0, 1000)
    const before = await direct.pipeline(pipeline)
    const transient = { name: 'Transient' }

    const writes: (() => Promise<unknown>)[] = [
      () => store.commit(lease, 'a'),
      () => store.acquireLease(pipeline, 'run-2', 1000, 2000),
      () => store.releaseLease(pipeline, 'run-1'),
      () => store.setLastRun(pipeline, 'b', 1000),
    ]
    // Each of the slow ones takes seconds.
    for (const write of slow ? writes.slice(0, 1) : writes) {
      writesMeet(fate, ...ALL_TRIES)
      await assert.rejects(write(), transient)
    }

    assert.deepEqual(await direct.pipeline(pipeline), before)
  })

  test(`gets through when only the first try does not arrive (${fate})`, async () => {
    writesMeet(fate, 1)
    const lease = await store.acquireLease(pipeline, 'run-1', 0, 1000)
    writesMeet(fate, 1)
    await store.commit(lease, 'a')

    assert.equal((await direct.pipeline(pipeline))?.lastRun, 'a')
  })
}

test('says that a retry may help when the write cannot be settled since the reading fails, too', async () => {
  const lease = await direct.acquireLease(pipeline, 'run-1', 0, 1000)
  proxy.fate = (operation) => (isWrite(operation) ? 'perform, then 500' : '500')

  await assert.rejects(store.commit(lease, 'a'), { name: 'Transient' })
  proxy.fate = () => 'pass'
  await store.commit(lease, 'a')

  assert.equal((await direct.pipeline(pipeline))?.version, 1)
})

test('says that a retry may help when nothing listens', async (t) => {
  const nowhere = createStateStore({ tableName: TABLE_NAME, endpoint: 'http://127.0.0.1:1' })
  t.after(() => nowhere.close())

  await assert.rejects(nowhere.pipeline(pipeline), { name: 'Transient' })
})

test('gives one of twenty runs the lease although every second reply is lost', async (t) => {
  // Twenty at once take their time on a busy machine, and none of them is to give up for that.
  const patient = createStateStore({ tableName: TABLE_NAME, endpoint: proxy.endpoint, requestTimeout: 30_000 })
  t.after(() => patient.close())
  let count = 0
  proxy.fate = (operation) => (isWrite(operation) && count++ % 2 === 0 ? 'perform, then 500' : 'pass')

  const asked = await Promise.allSettled(
    Array.from({ length: 20 }, (_, run) => patient.acquireLease(pipeline, `run-${run}`, 0, 1000)),
  )

  const won = asked.filter((result) => result.status === 'fulfilled')
  const names = new Set(asked.filter((result) => result.status === 'rejected').map((result) => result.reason.name))
  assert.equal(won.length, 1)
  assert.equal((await direct.pipeline(pipeline))?.leaseOwner, won[0]?.value.owner)
  assert.equal((await direct.pipeline(pipeline))?.epoch, 1)
  assert.deepEqual(
    [...names].filter((name) => name !== 'LeaseHeld' && name !== 'Transient'),
    [],
  )
})

test('takes a lease that is given back while the follow-up is asked for, rather than asking in vain', async () => {
  await direct.acquireLease(pipeline, 'run-1', 0, 1000)
  proxy.fate = async (operation, count): Promise<Fate> => {
    if (operation === 'UpdateItem' && count === 2) await direct.releaseLease(pipeline, 'run-1')
    return 'pass'
  }

  const lease = await store.acquireLease(pipeline, 'run-2', 1, 2000)

  assert.deepEqual([lease.owner, lease.epoch], ['run-2', 2])
  assert.equal((await direct.pipeline(pipeline))?.pending, false)
})
