import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { RowCounts } from 'dray/internal/messages/row-counts.ts'
import type { LandedPartition, StateStore, StepRecord } from 'dray/internal/state/state-store.ts'

const NOW = Date.parse('2026-03-01T02:00:00Z')
const MINUTE = 60_000
const COUNTS: RowCounts = {
  read: 12,
  inserted: 4,
  updated: 3,
  unchanged: 0,
  filtered: 1,
  duplicate: 0,
  quarantined: 2,
  deleted: 1,
  left: 1,
}

function stepOf(runId: string, over: Partial<StepRecord> = {}): StepRecord {
  return {
    runId,
    step: 'orders',
    status: 'success',
    startTime: NOW,
    endTime: NOW + 2500,
    executionTimeSeconds: 2.5,
    lastRunBefore: '2026-02-28 02:00:00.000001',
    lastRunAfter: '2026-03-01 01:55:00.123456',
    ...COUNTS,
    deleted: 3,
    gone: 2,
    findings: 5,
    bytes: 123_456_789_012,
    error: null,
    notes: ['the window ends 300 s before now'],
    quarantine: `runs/${runId}/quarantine/orders`,
    ...over,
  }
}

function partitionOf(runId: string, partition: number): LandedPartition {
  return {
    runId,
    pipeline: 'orders',
    partition,
    ...COUNTS,
    findings: 1,
    bytes: 1000,
    executionTimeSeconds: 0.25,
  }
}

function name(): string {
  return `pipeline-${randomUUID()}`
}

/** What every state store does. */
export function stateStoreContract(title: string, make: () => StateStore): void {
  describe(`${title}, as a state store`, () => {
    describe('lease', () => {
      test('gives a pipeline that was never run its first lease', async () => {
        const store = make()
        const pipeline = name()

        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        assert.deepEqual(lease, {
          pipeline,
          owner: 'run-1',
          epoch: 1,
          version: 0,
          lastRun: null,
          commitEpoch: 0,
          source: null,
        })
        assert.deepEqual(await store.pipeline(pipeline), {
          pipeline,
          lastRun: null,
          version: 0,
          epoch: 1,
          leaseOwner: 'run-1',
          leaseExpiresAt: NOW + MINUTE,
          pending: false,
          commitOwner: null,
          commitEpoch: 0,
          countedRows: null,
          source: null,
        })
      })

      test('refuses a second run by name, saying who holds it until when, and notes a follow-up', async () => {
        const store = make()
        const pipeline = name()
        await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        const refused = store.acquireLease(pipeline, 'run-2', NOW + 1, NOW + 2 * MINUTE)

        await assert.rejects(refused, {
          name: 'LeaseHeld',
          pipeline,
          owner: 'run-1',
          expiresAt: NOW + MINUTE,
          message: /held by run-1 until 2026-03-01T02:01:00\.000Z.*follow-up.*Wait/,
        })
        assert.equal((await store.pipeline(pipeline))?.pending, true)
        assert.equal((await store.pipeline(pipeline))?.leaseOwner, 'run-1')
      })

      test('gives the same lease again to the run that holds it, and never shortens it', async () => {
        const store = make()
        const pipeline = name()
        const first = await store.acquireLease(pipeline, 'run-1', NOW, NOW + 2 * MINUTE)

        const earlier = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)
        const untilThen = (await store.pipeline(pipeline))?.leaseExpiresAt
        const later = await store.acquireLease(pipeline, 'run-1', NOW + MINUTE, NOW + 3 * MINUTE)

        assert.deepEqual([earlier, later], [first, first])
        assert.equal(untilThen, NOW + 2 * MINUTE)
        assert.equal((await store.pipeline(pipeline))?.leaseExpiresAt, NOW + 3 * MINUTE)
        assert.equal((await store.pipeline(pipeline))?.pending, false)
      })

      test('is held until the very moment of its expiry, and is then taken over with a higher epoch', async () => {
        const store = make()
        const pipeline = name()
        await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        await assert.rejects(store.acquireLease(pipeline, 'run-2', NOW + MINUTE - 1, NOW + 2 * MINUTE), {
          name: 'LeaseHeld',
        })
        const lease = await store.acquireLease(pipeline, 'run-2', NOW + MINUTE, NOW + 2 * MINUTE)

        assert.equal(lease.epoch, 2)
      })

      test('stays with its owner after expiry as long as nobody has taken it', async () => {
        const store = make()
        const pipeline = name()
        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        const again = await store.acquireLease(pipeline, 'run-1', NOW + 5 * MINUTE, NOW + 6 * MINUTE)

        assert.deepEqual(again, lease)
      })

      test('is given back by its owner only, and then is free at once', async () => {
        const store = make()
        const pipeline = name()
        await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        const byOther = await store.releaseLease(pipeline, 'run-2')
        const byOwner = await store.releaseLease(pipeline, 'run-1')
        const again = await store.releaseLease(pipeline, 'run-1')
        const next = await store.acquireLease(pipeline, 'run-2', NOW + 1, NOW + MINUTE)

        assert.deepEqual([byOther, byOwner, again], [false, true, false])
        assert.equal(next.epoch, 2)
        assert.equal(await store.releaseLease(name(), 'run-1'), false)
      })

      test('can be taken again by a run that gave it back', async () => {
        const store = make()
        const pipeline = name()
        await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)
        await store.releaseLease(pipeline, 'run-1')

        const lease = await store.acquireLease(pipeline, 'run-1', NOW + 1, NOW + MINUTE)

        assert.equal(lease.epoch, 2)
      })

      test('goes to exactly one of twenty runs that ask at the same time', async () => {
        const store = make()
        const pipeline = name()

        const asked = await Promise.allSettled(
          Array.from({ length: 20 }, (_, run) => store.acquireLease(pipeline, `run-${run}`, NOW, NOW + MINUTE)),
        )

        const won = asked.filter((result) => result.status === 'fulfilled')
        const refused = asked.filter((result) => result.status === 'rejected')
        assert.equal(won.length, 1)
        assert.ok(refused.every((result) => result.reason.name === 'LeaseHeld'))
        assert.equal((await store.pipeline(pipeline))?.leaseOwner, won[0]?.value.owner)
        assert.equal((await store.pipeline(pipeline))?.epoch, 1)
        assert.equal((await store.pipeline(pipeline))?.pending, true)
      })

      test('goes to exactly one of twenty runs that find it expired', async () => {
        const store = make()
        const pipeline = name()
        await store.acquireLease(pipeline, 'dead', NOW, NOW + MINUTE)

        const asked = await Promise.allSettled(
          Array.from({ length: 20 }, (_, run) =>
            store.acquireLease(pipeline, `run-${run}`, NOW + MINUTE, NOW + 2 * MINUTE),
          ),
        )

        assert.equal(asked.filter((result) => result.status === 'fulfilled').length, 1)
        assert.equal((await store.pipeline(pipeline))?.epoch, 2)
      })
    })

    describe('commit', () => {
      test('advances last_run and gives the lease back in one', async () => {
        const store = make()
        const pipeline = name()
        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        await store.commit(lease, '2026-03-01 01:55:00.123456')

        assert.deepEqual(await store.pipeline(pipeline), {
          pipeline,
          lastRun: '2026-03-01 01:55:00.123456',
          version: 1,
          epoch: 1,
          leaseOwner: null,
          leaseExpiresAt: null,
          pending: false,
          commitOwner: 'run-1',
          commitEpoch: 1,
          countedRows: null,
          source: null,
        })
      })

      test('hands what it committed to the next lease', async () => {
        const store = make()
        const pipeline = name()
        await store.commit(await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE), 'a')

        const next = await store.acquireLease(pipeline, 'run-2', NOW + 1, NOW + MINUTE)

        assert.deepEqual(next, {
          pipeline,
          owner: 'run-2',
          epoch: 2,
          version: 1,
          lastRun: 'a',
          commitEpoch: 1,
          source: null,
        })
      })

      test('keeps the rows that a commit has counted, until another counts them', async () => {
        const store = make()
        const pipeline = name()
        const commit = async (run: string, counted?: number) =>
          store.commit(await store.acquireLease(pipeline, run, NOW, NOW + MINUTE), 'a', null, false, counted)
        await commit('run-1', 7)

        await commit('run-2')

        assert.equal((await store.pipeline(pipeline))?.countedRows, 7)
        await commit('run-3', 0)
        assert.equal((await store.pipeline(pipeline))?.countedRows, 0)
      })

      test('keeps the source of last_run beside it, until last_run is moved without one', async () => {
        const store = make()
        const pipeline = name()
        const source = { server: 'one', database: 'shop', position: '0/7' }
        await store.commit(await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE), 'a', source)

        const next = await store.acquireLease(pipeline, 'run-2', NOW + 1, NOW + MINUTE)
        await store.commit(next, 'b')

        assert.deepEqual(next.source, source)
        assert.equal((await store.pipeline(pipeline))?.source, null)
        await store.setLastRun(pipeline, 'c', NOW + 2, source)
        assert.deepEqual((await store.pipeline(pipeline))?.source, source)
        await store.setLastRun(pipeline, null, NOW + 3)
        assert.equal((await store.pipeline(pipeline))?.source, null)
      })

      test('raises the epoch of a lease above a given one, for who holds it alone', async () => {
        const store = make()
        const pipeline = name()
        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        const raised = await store.raiseEpoch(lease, 40)

        assert.deepEqual([raised.epoch, raised.version], [41, lease.version])
        assert.equal((await store.raiseEpoch(lease, 40)).epoch, 41)
        await assert.rejects(store.raiseEpoch({ ...lease, owner: 'run-2' }, 50), { name: 'LeaseLost' })
        await store.commit(raised, 'a')
      })

      test('has no effect the second time, even under the lease of another run', async () => {
        const store = make()
        const pipeline = name()
        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)
        await store.commit(lease, 'a')

        await store.commit(lease, 'a')
        await store.acquireLease(pipeline, 'run-2', NOW + 1, NOW + MINUTE)
        await store.commit(lease, 'a')

        const state = await store.pipeline(pipeline)
        assert.deepEqual([state?.version, state?.lastRun, state?.leaseOwner], [1, 'a', 'run-2'])
      })

      test('leaves last_run as it is when there is nothing to advance to', async () => {
        const store = make()
        const pipeline = name()
        await store.commit(await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE), 'a')

        await store.commit(await store.acquireLease(pipeline, 'run-2', NOW, NOW + MINUTE), null)

        const state = await store.pipeline(pipeline)
        assert.deepEqual([state?.version, state?.lastRun, state?.leaseOwner], [2, 'a', null])
      })

      test('is refused to a run whose lease was taken over', async () => {
        const store = make()
        const pipeline = name()
        const zombie = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)
        const lease = await store.acquireLease(pipeline, 'run-2', NOW + MINUTE, NOW + 2 * MINUTE)

        await assert.rejects(store.commit(zombie, 'zombie'), { name: 'LeaseLost', pipeline, owner: 'run-1' })
        await store.commit(lease, 'b')
        await assert.rejects(store.commit(zombie, 'zombie'), { name: 'LeaseLost' })

        assert.equal((await store.pipeline(pipeline))?.lastRun, 'b')
        assert.equal((await store.pipeline(pipeline))?.version, 1)
      })

      test('is refused to a run that has given its lease back', async () => {
        const store = make()
        const pipeline = name()
        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)
        await store.releaseLease(pipeline, 'run-1')

        await assert.rejects(store.commit(lease, 'a'), { name: 'LeaseLost' })

        assert.equal((await store.pipeline(pipeline))?.lastRun, null)
      })

      test('ends the run for that pipeline: a Plan delivered an hour later takes no lease', async () => {
        const store = make()
        const pipeline = name()
        await store.commit(await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE), 'a')

        const late = store.acquireLease(pipeline, 'run-1', NOW + 60 * MINUTE, NOW + 61 * MINUTE)

        await assert.rejects(late, { name: 'LeaseLost', message: /committed it already/ })
        assert.equal((await store.pipeline(pipeline))?.leaseOwner, null)
      })

      test('happens once although it is delivered twenty times at once', async () => {
        const store = make()
        const pipeline = name()
        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        await Promise.all(Array.from({ length: 20 }, () => store.commit(lease, 'a')))

        assert.equal((await store.pipeline(pipeline))?.version, 1)
      })
    })

    describe('follow-up', () => {
      test('is taken by exactly one of those who ask for it', async () => {
        const store = make()
        const pipeline = name()
        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)
        await assert.rejects(store.acquireLease(pipeline, 'run-2', NOW, NOW + MINUTE))
        await store.commit(lease, 'a')

        const taken = await Promise.all(Array.from({ length: 5 }, () => store.takePending(pipeline)))

        assert.equal(taken.filter(Boolean).length, 1)
        assert.equal((await store.pipeline(pipeline))?.pending, false)
      })

      test('is asked for by a commit that leaves something to read, once', async () => {
        const store = make()
        const pipeline = name()
        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)
        await store.commit(lease, 'a', null, true)
        assert.equal(await store.takePending(pipeline), true)

        await store.commit(lease, 'a', null, true)

        assert.equal((await store.pipeline(pipeline))?.pending, false)
      })

      test('is not there for a pipeline that nobody was refused, or that is unknown', async () => {
        const store = make()
        const pipeline = name()
        await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        assert.equal(await store.takePending(pipeline), false)
        assert.equal(await store.takePending(name()), false)
      })
    })

    describe('last_run set by hand', () => {
      test('is set for a pipeline that was never run, changed, and forgotten', async () => {
        const store = make()
        const pipeline = name()

        await store.setLastRun(pipeline, 'a', NOW)
        const set = await store.pipeline(pipeline)
        await store.setLastRun(pipeline, 'b', NOW)
        const changed = await store.pipeline(pipeline)
        await store.setLastRun(pipeline, null, NOW)
        const forgotten = await store.pipeline(pipeline)

        assert.deepEqual([set?.lastRun, changed?.lastRun, forgotten?.lastRun], ['a', 'b', null])
        assert.deepEqual([set?.version, changed?.version, forgotten?.version], [1, 2, 3])
      })

      test('is refused while a lease is held', async () => {
        const store = make()
        const pipeline = name()
        await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        await assert.rejects(store.setLastRun(pipeline, 'a', NOW + 1), { name: 'LeaseHeld', owner: 'run-1' })

        assert.equal((await store.pipeline(pipeline))?.lastRun, null)
        assert.equal((await store.pipeline(pipeline))?.pending, false)
      })

      test('takes an expired lease away, so that its owner cannot commit over it', async () => {
        const store = make()
        const pipeline = name()
        const lease = await store.acquireLease(pipeline, 'run-1', NOW, NOW + MINUTE)

        await store.setLastRun(pipeline, 'by hand', NOW + MINUTE)

        await assert.rejects(store.commit(lease, 'late'), { name: 'LeaseLost' })
        assert.equal((await store.pipeline(pipeline))?.lastRun, 'by hand')
      })
    })

    test('lists pipelines by name, whether they ran or were set', async () => {
      const store = make()
      const prefix = name()
      await store.acquireLease(`${prefix}-b`, 'run-1', NOW, NOW + MINUTE)
      await store.setLastRun(`${prefix}-a`, 'a', NOW)

      const found = (await store.pipelines()).filter(({ pipeline }) => pipeline.startsWith(prefix))

      assert.deepEqual(
        found.map(({ pipeline }) => pipeline),
        [`${prefix}-a`, `${prefix}-b`],
      )
      assert.equal(await store.pipeline(`${prefix}-c`), null)
    })

    describe('run', () => {
      const start = { workflow: 'daily', startTime: NOW, runner: 'local:laptop:42', trigger: 'manual' }

      test('is recorded once as running; a later start changes nothing', async () => {
        const store = make()
        const id = randomUUID()

        await store.startRun({ ...start, id, mode: '{"resume":"run-0"}', only: ['orders'] })
        await store.startRun({ ...start, id, workflow: 'other', startTime: NOW + MINUTE })

        assert.deepEqual((await store.run(id))?.run, {
          ...start,
          id,
          mode: '{"resume":"run-0"}',
          only: ['orders'],
          status: 'running',
          endTime: null,
          recordsProcessed: 0,
          recordsFailed: 0,
          executionTimeSeconds: null,
          error: null,
        })
      })

      test('is recorded once as ended, with its duration; a later end or start changes nothing', async () => {
        const store = make()
        const id = randomUUID()
        const end = { endTime: NOW + 1500, recordsProcessed: 7, recordsFailed: 2 } as const
        await store.startRun({ ...start, id })

        await store.finishRun(id, { ...end, status: 'failed', error: 'orders: a table is missing' })
        await store.finishRun(id, { ...end, status: 'success', error: null, endTime: NOW + MINUTE })
        await store.startRun({ ...start, id })

        const run = (await store.run(id))?.run
        assert.deepEqual([run?.status, run?.endTime, run?.executionTimeSeconds], ['failed', NOW + 1500, 1.5])
        assert.deepEqual([run?.recordsProcessed, run?.recordsFailed], [7, 2])
        assert.equal(run?.error, 'orders: a table is missing')
      })

      for (const status of ['refused', 'interrupted'] as const) {
        test(`ends as ${status}, which is said of it alone and in a list`, async () => {
          const store = make()
          const id = randomUUID()
          await store.startRun({ ...start, id })

          const end = { endTime: NOW + 1500, recordsProcessed: 0, recordsFailed: 0 } as const
          await store.finishRun(id, { ...end, status, error: 'orders: is held' })

          const listed = (await store.runs({ limit: 1000 })).find((run) => run.id === id)
          assert.deepEqual([(await store.run(id))?.run.status, listed?.status], [status, status])
        })
      }

      test('cannot end without having been started', async () => {
        const store = make()
        const end = { status: 'success', endTime: NOW, recordsProcessed: 0, recordsFailed: 0, error: null } as const

        await assert.rejects(store.finishRun(randomUUID(), end), { name: 'Terminal', message: /not recorded/ })
      })

      test('returns its steps as they started and its partitions by number, as they were put', async () => {
        const store = make()
        const id = randomUUID()
        const data = stepOf(id, { step: 'a-data-mart', startTime: NOW + MINUTE })
        const skipped = stepOf(id, { step: '0-skipped', status: 'skipped', startTime: null, error: 'orders failed' })
        const orders = stepOf(id)
        const partitions = [0, 2, 10, 499].map((partition) => partitionOf(id, partition))
        await store.startRun({ ...start, id })

        for (const step of [data, skipped, orders]) await store.putStep(step)
        for (const partition of partitions.toReversed()) {
          await store.countAttempt(partition)
          await store.putPartition(partition)
        }

        const detail = await store.run(id)
        assert.deepEqual(detail?.steps, [orders, data, skipped])
        assert.deepEqual(
          detail?.partitions,
          partitions.map((partition) => ({ ...partition, status: 'success', attempts: 1 })),
        )
      })

      test('says of the run alone, and of one step alone, what it says of them together', async () => {
        const store = make()
        const id = randomUUID()
        const check = { name: 'unique(code)', table: 'lake.orders', severity: 'warn', status: 'warned' } as const
        const checks = [
          { ...check, scope: 'run', failing: 2, keys: [{ code: 'é', other: null }], said: '2 rows', seconds: 0.25 },
        ] as const
        const step = stepOf(id, { tables: { total: 3, failed: 1 }, checks, owner: 'data team <data@example.org>' })
        await store.startRun({ ...start, id })
        await store.putStep(step)

        assert.deepEqual(await store.runRecord(id), (await store.run(id))?.run)
        assert.deepEqual(await store.stepRecord(id, step.step), step)
        assert.deepEqual([await store.runRecord(randomUUID()), await store.stepRecord(id, 'another')], [null, null])
      })

      test('replaces what is known of a step, but never a success by what comes late', async () => {
        const store = make()
        const id = randomUUID()
        await store.startRun({ ...start, id })
        const failed = { status: 'failed', error: 'a deadlock' } as const

        await store.putStep(stepOf(id, failed))
        await store.putStep(stepOf(id))
        await store.putStep(stepOf(id, { ...failed, bytes: 3 }))

        const detail = await store.run(id)
        assert.deepEqual(detail?.steps, [stepOf(id)])
      })

      test('does not take the end of a step back, with its reason, by what comes late', async () => {
        const store = make()
        const id = randomUUID()
        await store.startRun({ ...start, id })
        const [running, failed] = [{ status: 'running' } as const, { status: 'failed', error: 'a deadlock' } as const]

        for (const step of [running, { ...running, bytes: 3 }, failed, running]) await store.putStep(stepOf(id, step))

        const detail = await store.run(id)
        assert.deepEqual(detail?.steps, [stepOf(id, failed)])
      })

      test('keeps what calls have taken, beside items that say nothing of it', async () => {
        const store = make()
        const id = randomUUID()
        const spent = { calls: 3, megabyte_ms: 1769 * 900_000 }
        const [step, partition] = [stepOf(id, { spent, plannedCost: 0.0042 }), { ...partitionOf(id, 1), spent }]
        await store.startRun({ ...start, id })

        for (const one of [step, stepOf(id, { step: 'before', startTime: NOW + 1 })]) await store.putStep(one)
        for (const one of [partition, partitionOf(id, 2)]) await store.putPartition(one)
        const end = { status: 'success', endTime: NOW, recordsProcessed: 0, recordsFailed: 0, error: null } as const
        await store.finishRun(id, { ...end, spent })

        const detail = await store.run(id)
        assert.deepEqual(detail?.run.spent, spent)
        assert.deepEqual([detail?.steps[0], 'spent' in (detail?.steps[1] ?? {})], [step, false])
        assert.deepEqual(
          detail?.partitions.map((one) => one.spent),
          [spent, undefined],
        )
      })

      test('counts how often a partition was tried: it runs until it has landed, and stays landed', async () => {
        const store = make()
        const id = randomUUID()
        await store.startRun({ ...start, id })
        const known = async () => {
          const [partition] = (await store.run(id))?.partitions ?? []
          return [partition?.status, partition?.attempts, partition?.read]
        }

        await store.countAttempt(partitionOf(id, 1))
        const first = await known()
        await store.countAttempt(partitionOf(id, 1))
        await store.putPartition(partitionOf(id, 1))
        const landed = await known()
        await store.countAttempt(partitionOf(id, 1))

        assert.deepEqual(first, ['running', 1, 0])
        assert.deepEqual(landed, ['success', 2, COUNTS.read])
        assert.deepEqual(await known(), ['success', 3, COUNTS.read])
      })

      test('counts attempts at once one by one', async () => {
        const store = make()
        const id = randomUUID()
        await store.startRun({ ...start, id })

        await Promise.all(Array.from({ length: 10 }, () => store.countAttempt(partitionOf(id, 1))))

        assert.equal((await store.run(id))?.partitions[0]?.attempts, 10)
      })

      test('keeps an error of any length, cut to what an item holds', async () => {
        const store = make()
        const id = randomUUID()
        await store.startRun({ ...start, id })

        await store.putStep(stepOf(id, { status: 'failed', error: '😀'.repeat(400_000) }))

        const error = (await store.run(id))?.steps[0]?.error ?? ''
        assert.ok(error.length > 1000 && error.length < 20_000 && error.startsWith('😀'))
      })

      test('that is unknown is null', async () => {
        assert.equal(await make().run(randomUUID()), null)
      })

      test('has a detail of many pages', async () => {
        const store = make()
        const id = randomUUID()
        await store.startRun({ ...start, id })
        const error = 'x'.repeat(8000)

        const numbers = Array.from({ length: 150 }, (_, number) => number)

        for (let first = 0; first < numbers.length; first += 15) {
          const some = numbers.slice(first, first + 15)
          await Promise.all(
            some.map((number) => store.putStep(stepOf(id, { step: `${number}`, status: 'failed', error }))),
          )
          await Promise.all(some.map((number) => store.putPartition(partitionOf(id, number))))
        }

        const detail = await store.run(id)
        assert.equal(detail?.steps.length, numbers.length)
        assert.deepEqual(
          detail?.partitions.map(({ partition }) => partition),
          numbers,
        )
      })
    })

    describe('list of runs', () => {
      async function started(store: StateStore, count: number): Promise<string> {
        const workflow = `workflow-${randomUUID()}`
        for (let index = 0; index < count; index++) {
          const id = `${workflow}-${index}`
          await store.startRun({ id, workflow, startTime: NOW + index * MINUTE, runner: 'local', trigger: 'manual' })
          if (index % 3 !== 0) continue
          const end = { recordsProcessed: 0, recordsFailed: 0, error: null, endTime: NOW + index * MINUTE + 1 }
          await store.finishRun(id, { ...end, status: 'success' })
        }
        return workflow
      }
      const numbers = (runs: { id: string }[]) => runs.map(({ id }) => Number(id.split('-').at(-1)))

      test('is of one workflow, newest first, as many as asked for', async () => {
        const store = make()
        const workflow = await started(store, 7)
        await started(store, 2)

        assert.deepEqual(numbers(await store.runs({ workflow, limit: 4 })), [6, 5, 4, 3])
        assert.deepEqual(numbers(await store.runs({ workflow, limit: 100 })), [6, 5, 4, 3, 2, 1, 0])
        assert.deepEqual(await store.runs({ workflow, limit: 0 }), [])
        assert.deepEqual(await store.runs({ workflow: 'unknown', limit: 4 }), [])
      })

      test('is of any workflow, newest first', async () => {
        const store = make()
        const [first, second] = [await started(store, 3), await started(store, 3)]

        const runs = await store.runs({ limit: 1000 })

        const times = runs.map(({ startTime }) => startTime)
        assert.deepEqual(
          times,
          times.toSorted((a, b) => b - a),
        )
        assert.equal(runs.filter(({ workflow }) => workflow === first || workflow === second).length, 6)
      })

      test('is of one status, with as many as asked for although others lie between', async () => {
        const store = make()
        const workflow = await started(store, 7)

        assert.deepEqual(numbers(await store.runs({ workflow, status: 'success', limit: 2 })), [6, 3])
        assert.deepEqual(numbers(await store.runs({ workflow, status: 'running', limit: 9 })), [5, 4, 2, 1])
        assert.deepEqual(await store.runs({ workflow, status: 'failed', limit: 9 }), [])
      })
    })
  })
}
