import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { loadKeys, type RunMode } from 'dray/internal/messages/run-mode.ts'
import type { PlanOutput } from 'dray/internal/messages/stages.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { task } from 'dray/internal/pipeline/declare/task.ts'
import { readPlan } from 'dray/internal/pipeline/plan/staged-plan.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import type { StateStore, StepRecord } from 'dray/internal/state/state-store.ts'
import { commitRun, type Harness, openHarness, planRun, prepare, runPipeline, runReference } from './harness.ts'

const source = database('modes-source')
const target = database('modes-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  changedAt: timestamp().nullable(),
}) {}
class Line extends source.table('line', { order: bigint().primaryKey(), number: bigint().primaryKey() }) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: varchar(10).nullable() }) {}
const models = [Item, Line, Product] as unknown as ModelClass[]

const incremental = pipeline('items', {
  extract: changedSince(Item, { cursor: 'changedAt', lag: '0s', partitionRows: 2 }),
  transform: ({ id, label }, row) => (label === 'bad' ? row.reject('label', 'bad') : { id, label }),
  load: upsert(Product, { by: 'id' }),
}) as unknown as Pipeline
const full = pipeline('items', {
  extract: fullLoad(Item, { partitionRows: 2 }),
  transform: ({ id, label }) => ({ id, label }),
  load: upsert(Product, { by: 'id' }),
}) as unknown as Pipeline
const lines = pipeline('lines', {
  extract: fullLoad(Line),
  transform: ({ order, number }) => ({ id: order * 100n + number }),
  load: upsert(Product, { by: 'id' }),
}) as unknown as Pipeline

describe('a run that is asked for something else than its window', () => {
  let harness: Harness

  after(async () => {
    await Promise.all([source.close(), target.close()])
    await harness.close()
  })
  beforeEach(async () => {
    await Promise.all([source.close(), target.close()])
    await harness?.close()
    harness = await openHarness()
    for (const { name } of [source, target]) {
      process.env[urlVariable(name)] = `sqlite:${join(harness.folder, `${name}.db`)}`
    }
    for (const model of models) await model.createTable()
  })

  const insert = (id: number, changedAt: string, label = `${id}`) =>
    source.query('insert into item (id, label, changed_at) values (?, ?, ?)', [String(id), label, changedAt])
  const loaded = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))
  const state = async () => harness.services.state.pipeline('items')
  const lastRun = async () => (await state())?.lastRun ?? null

  async function ten(): Promise<void> {
    for (let day = 1; day <= 10; day++) await insert(day, `2024-01-${String(day).padStart(2, '0')} 12:00:00`)
  }

  async function loadPartitions(run: string, planned: PlanOutput, partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) {
      await load(incremental, await prepare(incremental, run, planned, partition, harness.services), harness.services)
    }
  }

  /** What Finish does with a run that has failed. */
  function fail(run: string): Promise<unknown> {
    const steps = { items: { status: 'failed' as const, reason: 'Terminal: killed' } }
    return finish({ run: runReference(run), steps }, harness.services)
  }

  /** Commits, and is killed before its record says so. */
  async function commitAndDie(run: string, planned: PlanOutput): Promise<void> {
    const dying = new Proxy(harness.services.state, {
      get: (store, name: keyof StateStore) =>
        name === 'putStep' ? () => Promise.reject(new Error('killed')) : (store[name] as () => void).bind(store),
    })
    await assert.rejects(commitRun(incremental, run, planned, { ...harness.services, state: dying }), /killed/)
    await fail(run)
  }

  /** Resumes the first run, of which another has done everything. */
  async function resumeDoesNothing(run: string, doneBy: string): Promise<void> {
    await insert(11, '2024-01-11 12:00:00')
    const before = await lastRun()

    const output = await runPipeline(incremental, run, harness.services, { resume: 'run-1' })

    assert.deepEqual([output.read, output.last_run_after], [0, before])
    const step = (await harness.services.state.run(run))?.steps[0]
    assert.equal(step?.status, 'success')
    assert.deepEqual(step?.notes, [`run ${doneBy} has done this step already, so nothing was done`])
    assert.equal((await state())?.leaseOwner, null)
  }

  test('a Plan that is overtaken by the end of its run keeps the reason of that end, and gives the lease back', async () => {
    await ten()
    const overtaken = new Proxy(harness.services.state, {
      get: (store, name: keyof StateStore) =>
        name === 'putStep'
          ? async (step: StepRecord) => {
              await fail('run-1')
              await store.putStep(step)
            }
          : (store[name] as () => void).bind(store),
    })

    await assert.rejects(
      planRun(incremental, 'run-1', { ...harness.services, state: overtaken }),
      /this Plan came late/,
    )

    const { steps = [] } = (await harness.services.state.run('run-1')) ?? {}
    assert.deepEqual([steps[0]?.status, steps[0]?.error], ['failed', 'Terminal: killed'])
    assert.equal((await state())?.leaseOwner, null)
  })

  describe('a backfill', () => {
    const mode = (over: object = {}): RunMode => ({
      backfill: { from: '2024-01-03T12:00:00Z', to: '2024-01-07T12:00:00Z', chunk: '2d', ...over },
    })

    test('loads the rows of the range and leaves last_run alone', async () => {
      await ten()
      await harness.services.state.setLastRun('items', '2024-06-01 00:00:00.000000', Date.now())

      const output = await runPipeline(incremental, 'run-1', harness.services, mode())

      assert.deepEqual(await loaded(), [3, 4, 5, 6])
      assert.equal(output.read, 4)
      assert.deepEqual([output.last_run_before, output.last_run_after], Array(2).fill('2024-06-01 00:00:00.000000'))
      assert.equal(await lastRun(), '2024-06-01 00:00:00.000000')
      assert.equal((await state())?.leaseOwner, null)
    })

    test('is a partition a chunk, and long chunks are cut by keys', async () => {
      await ten()
      await insert(11, '2024-01-03 13:00:00')

      const planned = await planRun(incremental, 'run-1', harness.services, mode())

      const { partitions } = await readPlan(harness.services, planned.plan)
      assert.deepEqual(
        partitions.map(({ window, after: behind }) => [window?.lo?.slice(0, 10), behind]),
        [
          ['2024-01-03', null],
          ['2024-01-03', ['4']],
          ['2024-01-05', null],
        ],
      )
    })

    test('does not land a chunk twice when it is resumed', async () => {
      await ten()
      const planned = await planRun(incremental, 'run-1', harness.services, mode())
      await loadPartitions('run-1', planned, [1])
      await fail('run-1')
      await Product.deleteAll()
      await runPipeline(incremental, 'run-2', harness.services)
      await Product.deleteAll()
      const before = await lastRun()

      const output = await runPipeline(incremental, 'run-3', harness.services, { resume: 'run-1' })

      assert.deepEqual(await loaded(), [3, 4])
      assert.equal(output.read, 4)
      assert.equal(await lastRun(), before)
    })

    test('holds the lease: a usual run meanwhile is refused and asks for a follow-up', async () => {
      await planRun(incremental, 'run-1', harness.services, mode())

      await assert.rejects(planRun(incremental, 'run-2', harness.services), { name: 'LeaseHeld' })

      assert.equal((await state())?.pending, true)
    })

    test('ends where the source is settled, and says so', async () => {
      await ten()

      await runPipeline(incremental, 'run-1', harness.services, mode({ to: '2999-01-01T00:00:00Z', chunk: '30d' }))

      assert.deepEqual(await loaded(), [3, 4, 5, 6, 7, 8, 9, 10])
      const notes = (await harness.services.state.run('run-1'))?.steps[0]?.notes?.join()
      assert.match(notes ?? '', /up to where the source is settled, and not at 2999-01-01/)
    })

    test('makes chunks longer rather than have more partitions than a run may', async () => {
      await ten()

      await runPipeline(incremental, 'run-1', harness.services, mode({ chunk: '1s' }))

      assert.deepEqual(await loaded(), [3, 4, 5, 6])
      assert.match((await harness.services.state.run('run-1'))?.steps[0]?.notes?.join() ?? '', /chunks are \d+ s long/)
    })

    test('is refused where there is no cursor, and for a range that is empty', async () => {
      await assert.rejects(planRun(full, 'run-1', harness.services, mode()), /has no window/)
      await harness.services.state.releaseLease('items', 'run-1')
      await assert.rejects(
        planRun(incremental, 'run-2', harness.services, mode({ to: '2024-01-03 12:00:00' })),
        /--from .* is not before --to/,
      )
    })
  })

  describe('keys', () => {
    test('loads their rows alone, says which are missing, and leaves last_run alone', async () => {
      await ten()

      const output = await runPipeline(incremental, 'run-1', harness.services, loadKeys(['2', '9', '9', '77']))

      assert.deepEqual(await loaded(), [2, 9])
      assert.deepEqual([output.read, output.inserted, output.last_run_after], [2, 2, null])
      assert.equal(await lastRun(), null)
      const notes = (await harness.services.state.run('run-1'))?.steps[0]?.notes
      assert.deepEqual(notes, ['1 of 3 keys have no row in modes-source.item'])
    })

    test('may have several columns', async () => {
      await Line.insertAll([
        { order: 1n, number: 1n },
        { order: 1n, number: 2n },
        { order: 2n, number: 1n },
      ])

      await runPipeline(
        lines,
        'run-1',
        harness.services,
        loadKeys([
          ['1', '2'],
          ['2', '1'],
        ]),
      )

      assert.deepEqual(await loaded(), [102, 201])
    })

    test('are read in statements that a database can take', async () => {
      await Item.insertAll(Array.from({ length: 2500 }, (_, index) => ({ id: BigInt(index) })))
      const keys = Array.from({ length: 2400 }, (_, index) => String(index))

      const planned = await planRun(full, 'run-1', harness.services, loadKeys(keys))

      assert.equal(planned.partitions.length, 5)
      assert.equal((await readPlan(harness.services, planned.plan)).rows, 2400)
    })

    test('of several columns are as many as SQLite nests alternatives', async () => {
      const keys = Array.from({ length: 1000 }, (_, index) => ['7', String(index)])

      const planned = await planRun(lines, 'run-1', harness.services, loadKeys(keys))

      assert.equal(planned.partitions.length, 2)
      assert.equal((await readPlan(harness.services, planned.plan)).rows, 0)
    })

    test('are refused when they cannot be keys', async () => {
      await assert.rejects(planRun(incremental, 'run-1', harness.services, loadKeys(['x'])), { name: 'Configuration' })
      await harness.services.state.releaseLease('items', 'run-1')
      await assert.rejects(planRun(lines, 'run-2', harness.services, loadKeys(['1'])), /not a key of \(order, number\)/)
      assert.throws(() => loadKeys(Array.from({ length: 50_000 }, (_, index) => `${index}`)), /fewer keys/)
    })
  })

  describe('events of the entity of a pipeline', () => {
    const ofEntity = { ...incremental, entity: 'shop/items' } as Pipeline
    const planOf = async (trigger: string, change: object) => {
      const run = { ...runReference('run-1'), trigger }
      const entities = { 'shop/items': { keys: ['2', '4'], window: null, ...change } }
      const { plan: staged } = await plan(ofEntity, { run, pipeline: 'items', entities }, harness.services)
      return readPlan(harness.services, staged)
    }

    test('have the rows of their keys loaded, and last_run left alone', async () => {
      await ten()

      const made = await planOf('event:EntityUpdated', {})

      assert.deepEqual([made.rows, made.advances, made.partitions[0]?.keys], [2, false, [['2'], ['4']]])
    })

    for (const [what, trigger, change] of [
      ['a schedule has asked for the run, too', 'schedule,event:EntityUpdated', {}],
      ['they are too many to be named', 'event:EntityUpdated', { keys: 'all' }],
      [
        'they give a window',
        'event:EntityUpdated',
        { window: { from: '2024-01-01T00:00:00Z', to: '2024-01-02T00:00:00Z' } },
      ],
      ['the source cannot have such keys', 'event:EntityUpdated', { keys: ['x'] }],
    ] as const) {
      test(`have the window read when ${what}`, async () => {
        await ten()

        const made = await planOf(trigger, change)

        assert.deepEqual([made.rows, made.advances], [10, true])
      })
    }
  })

  describe('a resumed run', () => {
    test('does what has not landed by the same plan, and moves last_run to the end of its window', async () => {
      await ten()
      const planned = await planRun(incremental, 'run-1', harness.services)
      await loadPartitions('run-1', planned, [0, 3])
      await fail('run-1')
      await insert(11, '2999-01-11 12:00:00')
      await Product.deleteAll()

      const again = await planRun(incremental, 'run-2', harness.services, { resume: 'run-1' })

      assert.deepEqual(
        again.partitions,
        [1, 2, 4].map((partition) => ({ partition })),
      )
      assert.deepEqual(again.plan, planned.plan)
      assert.equal(again.epoch, planned.epoch + 1)
      await loadPartitions('run-2', again, [1, 2, 4])
      const output = await commitRun(incremental, 'run-2', again, harness.services)
      assert.deepEqual(await loaded(), [3, 4, 5, 6, 9, 10])
      assert.equal(output.read, 10)
      assert.equal(await lastRun(), (await readPlan(harness.services, planned.plan)).window?.hi)
      const step = (await harness.services.state.run('run-2'))?.steps[0]
      assert.match(step?.notes?.join() ?? '', /resumed run run-1: 2 of 5 partitions had landed/)
    })

    test('keeps the run that it resumes from writing', async () => {
      await ten()
      const planned = await planRun(incremental, 'run-1', harness.services)
      await loadPartitions('run-1', planned, [0])
      const late = await prepare(incremental, 'run-1', planned, 1, harness.services)
      await fail('run-1')
      await planRun(incremental, 'run-2', harness.services, { resume: 'run-1' })

      await assert.rejects(load(incremental, late, harness.services), /epoch 2 has taken the target over/)
    })

    test('resumes a run that was resumed itself', async () => {
      await ten()
      const first = await planRun(incremental, 'run-1', harness.services)
      await loadPartitions('run-1', first, [0])
      await fail('run-1')
      const second = await planRun(incremental, 'run-2', harness.services, { resume: 'run-1' })
      await loadPartitions('run-2', second, [1])
      await fail('run-2')

      const third = await planRun(incremental, 'run-3', harness.services, { resume: 'run-2' })

      assert.deepEqual(
        third.partitions,
        [2, 3, 4].map((partition) => ({ partition })),
      )
      await loadPartitions('run-3', third, [2, 3, 4])
      assert.equal((await commitRun(incremental, 'run-3', third, harness.services)).read, 10)
    })

    test('plans anew when nothing has landed', async () => {
      await ten()
      await planRun(incremental, 'run-1', harness.services)
      await fail('run-1')
      await insert(11, '2024-01-11 12:00:00')

      const output = await runPipeline(incremental, 'run-2', harness.services, { resume: 'run-1' })

      assert.equal(output.read, 11)
    })

    test('does what the first run was asked to do', async () => {
      await ten()
      await planRun(incremental, 'run-1', harness.services, loadKeys(['4']))
      await fail('run-1')

      await runPipeline(incremental, 'run-2', harness.services, { resume: 'run-1' })

      assert.deepEqual(await loaded(), [4])
      assert.equal(await lastRun(), null)
    })

    test('is refused when another run has committed since, and keeps no lease', async () => {
      await ten()
      const planned = await planRun(incremental, 'run-1', harness.services)
      await loadPartitions('run-1', planned, [0])
      await fail('run-1')
      await runPipeline(incremental, 'run-2', harness.services)
      const before = await lastRun()

      await assert.rejects(
        planRun(incremental, 'run-3', harness.services, { resume: 'run-1' }),
        /run run-1 cannot be resumed, since last_run has been committed by run-2/,
      )

      assert.equal((await state())?.leaseOwner, null)
      assert.equal(await lastRun(), before)
    })

    test('is refused when the plan is no longer staged', async () => {
      await ten()
      const planned = await planRun(incremental, 'run-1', harness.services)
      await loadPartitions('run-1', planned, [0])
      await fail('run-1')
      await rm(join(harness.folder, 'staging', 'runs'), { recursive: true })

      await assert.rejects(
        planRun(incremental, 'run-2', harness.services, { resume: 'run-1' }),
        /the plan of run run-1 is no longer staged .*start `dray run`/,
      )

      assert.equal((await state())?.leaseOwner, null)
    })

    test('is refused when partitions have landed by two plans: what is left cannot be told', async () => {
      await ten()
      const one = await planRun(incremental, 'run-1', harness.services)
      await insert(0, '2024-01-01 12:00:00')
      const other = await planRun(incremental, 'run-1', harness.services)
      await loadPartitions('run-1', one, [0])
      await loadPartitions('run-1', other, [1])
      await fail('run-1')

      await assert.rejects(
        planRun(incremental, 'run-2', harness.services, { resume: 'run-1' }),
        /landed by more than one plan/,
      )
    })

    test('does nothing for a step that had succeeded, even when its run died before it could say so', async () => {
      await ten()
      const planned = await planRun(incremental, 'run-1', harness.services)
      await loadPartitions('run-1', planned, [0, 1, 2, 3, 4])
      await commitAndDie('run-1', planned)

      await resumeDoesNothing('run-2', 'run-1')
    })

    test('does nothing when asked again for what a run that resumed it has committed, though that one died at once', async () => {
      await ten()
      const planned = await planRun(incremental, 'run-1', harness.services)
      await loadPartitions('run-1', planned, [0])
      await fail('run-1')
      const resumed = await planRun(incremental, 'run-2', harness.services, { resume: 'run-1' })
      await loadPartitions('run-2', resumed, [1, 2, 3, 4])
      await commitAndDie('run-2', resumed)

      await resumeDoesNothing('run-3', 'run-2')
    })

    test('runs a task only when it had not succeeded', async () => {
      let calls = 0
      const refresh = task('refresh', async () => {
        calls += 1
      })
      await runTask(refresh, { run: runReference('run-1'), task: 'refresh' }, harness.services)

      await runTask(
        refresh,
        { run: runReference('run-2'), task: 'refresh', mode: { resume: 'run-1' } },
        harness.services,
      )

      assert.equal(calls, 1)
      assert.equal((await harness.services.state.run('run-2'))?.steps[0]?.status, 'success')
    })

    test('is refused for a run that is not known', async () => {
      await assert.rejects(
        planRun(incremental, 'run-2', harness.services, { resume: 'run-0' }),
        /There is no run run-0/,
      )
    })
  })
})
