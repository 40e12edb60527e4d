import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { changedSince, fullLoad, xid } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { draftRun } from 'dray/internal/pipeline/stages/draft-run.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { paced } from 'dray/internal/pipeline/stages/paced-blocks.ts'
import type { Block } from 'dray/internal/staging/staging-store.ts'
import { onEachEngine } from './engines.ts'
import { planRun, prepare, runPipeline } from './harness.ts'

const crm = database('first-source')
const warehouse = database('first-target')

class Order extends crm.table('orders', { id: bigint().primaryKey(), label: varchar(9), changedAt: timestamp() }) {}
class TargetOrder extends warehouse.table('orders', { id: bigint().primaryKey(), label: varchar(9) }) {}
class Happening extends warehouse.table('happening', { id: bigint(), label: varchar(9) }) {}

const orders = pipeline('orders', {
  extract: changedSince(Order, {
    cursor: 'changedAt',
    firstLoad: { chunk: '30d' },
    maxRowsPerSecond: 5_000,
    maxConnections: 1,
  }),
  transform: ({ id, label }) => ({ id, label }),
  load: upsert(TargetOrder, { by: 'id' }),
})
const byRows = pipeline('orders', {
  extract: changedSince(Order, { cursor: 'changedAt', firstLoad: { rows: 4 }, partitionRows: 2, overlap: '1d' }),
  transform: ({ id, label }: Order) => ({ id, label }),
  load: upsert(TargetOrder, { by: 'id' }),
}) as unknown as Pipeline
const appended = pipeline('orders', {
  extract: changedSince(Order, { cursor: 'changedAt', firstLoad: { rows: 4 }, partitionRows: 2 }),
  transform: ({ id, label }: Order) => ({ id, label }),
  load: append(Happening),
}) as unknown as Pipeline

onEachEngine('a first load in parts', [crm, warehouse], (engine) => {
  beforeEach(async () => {
    for (const model of [Order, TargetOrder, Happening] as unknown as ModelClass[]) await model.createTable()
  })

  const order = (id: number, day: string) => ({
    id: BigInt(id),
    label: `o${id}`,
    changedAt: timestampOf(`2023-${day} 00:00:00`),
  })
  const state = () => engine.harness.services.state.pipeline('orders')

  /** Runs that follow one another while there is more; what each has read, and where `last_run` is then. */
  async function runs(of: Pipeline): Promise<[read: number, lastRun: string][]> {
    const done: [number, string][] = []
    do {
      await engine.harness.services.state.takePending('orders')
      const { read, last_run_after: after } = await runPipeline(of, `run-${done.length}`, engine.harness.services)
      done.push([read, (after ?? '').slice(0, 10)])
    } while ((await state())?.pending && done.length < 20)
    return done
  }

  /** Those of the runs whose notes say it. */
  async function saying(words: RegExp, ...names: string[]): Promise<string[]> {
    const said = await Promise.all(
      names.map(async (name) => (await engine.harness.services.state.run(name))?.steps[0]?.notes?.join() ?? ''),
    )
    return names.filter((_, place) => words.test(said[place] ?? ''))
  }

  test('a span of the cursor is one run, those without a row are none, and each run moves last_run', async () => {
    await Order.insertAll([
      order(1, '01-01'),
      order(2, '01-20'),
      order(3, '01-31'),
      order(4, '07-01'),
      order(5, '07-30'),
    ])

    const done = await runs(orders as unknown as Pipeline)

    assert.deepEqual(done.slice(0, 2), [
      [2, '2023-01-31'],
      [1, '2023-03-02'],
    ])
    assert.deepEqual(
      done.map(([read]) => read),
      [2, 1, 2],
    )
    assert.equal(await TargetOrder.count(), 5)
    const { notes } = (await engine.harness.services.state.run('run-0'))?.steps[0] ?? {}
    assert.match(notes?.join() ?? '', /this run reads a part, from the beginning to 2023-01-31 /)
    const behind = /steps behind orders in its workflow run with this part alone/
    const last = /the last part .*: steps behind orders in its workflow have run with the first part alone, so run/
    assert.deepEqual(await saying(behind, 'run-0', 'run-1', 'run-2'), ['run-0'])
    assert.deepEqual(await saying(last, 'run-0', 'run-1', 'run-2'), ['run-2'])
  })

  test('the last part is known as such whatever runs between the parts, and the next run is a usual one', async () => {
    const { services } = engine.harness
    await Order.insertAll([1, 2, 3, 4, 5, 6].map((id) => order(id, `01-0${id}`)))
    await runPipeline(byRows, 'first', services)
    await runPipeline(byRows, 'keys', services, { keys: ['1'] })
    await runPipeline(byRows, 'last', services)
    await runPipeline(byRows, 'next', services)

    assert.deepEqual(await saying(/the last part/, 'first', 'keys', 'last', 'next'), ['last'])
  })

  test('so many rows are one run, and all rows of one moment are in one', async () => {
    await Order.insertAll([
      ...[1, 2, 3].map((id) => order(id, '01-01')),
      ...[4, 5, 6, 7, 8, 9].map((id) => order(id, '02-01')),
      ...[10, 11].map((id) => order(id, '03-01')),
    ])

    const done = await runs(appended)

    assert.deepEqual(
      done.map(([read]) => read),
      [3, 6, 2],
    )
    assert.deepEqual(
      (await Happening.all().order('id').toArray()).map(({ id }) => Number(id)),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    )
  })

  test('more rows of one moment than a part has are one part all the same, and an overlap ends', async () => {
    await Order.insertAll([1, 2, 3, 4, 5, 6].map((id) => order(id, '01-01')))
    await Order.insertAll([7, 8].map((id) => order(id, '01-02')))

    const done = await runs(byRows)

    assert.deepEqual(done[0], [6, '2023-01-02'])
    assert.equal(done.length, 2)
    assert.equal(await TargetOrder.count(), 8)
  })

  test('a run that dies keeps what the ones before it have landed, and the next goes on there', async () => {
    const { services } = engine.harness
    await Order.insertAll(Array.from({ length: 12 }, (_, at) => order(at + 1, `01-${String(at + 1).padStart(2, '0')}`)))
    await runPipeline(appended, 'first', services)
    const planned = await planRun(appended, 'dies', services)
    await load(appended, await prepare(appended, 'dies', planned, 0, services), services)
    await services.state.releaseLease('orders', 'dies')
    assert.match((await state())?.lastRun ?? '', /^2023-01-05/)

    await runs(appended)

    assert.deepEqual(
      (await Happening.all().order('id').toArray()).map(({ id }) => Number(id)),
      Array.from({ length: 12 }, (_, at) => at + 1),
    )
  })

  test('a run that has little to read is one run, and asks for no other', async () => {
    await Order.insertAll([order(1, '01-01')])

    assert.equal((await runs(byRows)).length, 1)
    assert.equal((await state())?.pending, false)
  })

  test('dray plan and preview show the part, and reconcile leaves what has not been read to the runs that follow', async () => {
    const { services } = engine.harness
    await Order.insertAll(Array.from({ length: 9 }, (_, at) => order(at + 1, `01-0${at + 1}`)))
    const drafted = await draftRun(byRows, null, { id: 'plan', lastRun: null }, services)
    assert.deepEqual([drafted.rows, drafted.window?.hi.slice(0, 10)], [4, '2023-01-05'])
    assert.equal((await preview(byRows, { limit: 9, lastRun: null }, services)).rows.length, 4)
    await runPipeline(byRows, 'first', services)

    const { counts, leftOut } = await reconcile(byRows, services)

    assert.deepEqual([counts.missing, leftOut.pending], [0, 5])
  })

  test('partitions are as small as they must be to be read at the rate, and a rate that is too low is refused', async () => {
    const { services } = engine.harness
    await Order.insertAll(Array.from({ length: 100 }, (_, at) => order(at + 1, '01-01')))
    const slow = { ...fullLoad(Order, { maxRowsPerSecond: 1 }) }
    const of = (extract: typeof slow) =>
      pipeline('orders', { extract, transform: ({ id, label }: Order) => ({ id, label }), load: orders.load })

    const drafted = await draftRun(of(slow) as unknown as Pipeline, null, { id: 'plan', lastRun: null }, services)

    assert.equal(drafted.partitions.length, 5)
    const never = { ...of(slow), extract: { ...of(slow).extract, maxRowsPerSecond: 0.001 } }
    await assert.rejects(
      draftRun(never as unknown as Pipeline, null, { id: 'plan', lastRun: null }, services),
      /has 100 rows to read, which is too much for one run/,
    )
  })
})

test('the deadline ends a pause', async () => {
  const blocks = async function* (): AsyncGenerator<Block> {
    yield { bytes: Buffer.from('1\n'), rows: 1000 } as unknown as Block
  }
  const reading = paced(blocks() as never, 1, AbortSignal.timeout(20))
  await reading.next()
  await assert.rejects(reading.next() as Promise<unknown>, { name: 'Transient' })
})

test('no more partitions are at work than the source has connections for', () => {
  const made = (maxConnections: number, concurrency: number) =>
    pipeline('orders', {
      extract: fullLoad(Order, { maxConnections }),
      transform: ({ id, label }) => ({ id, label }),
      load: upsert(TargetOrder, { by: 'id' }),
      concurrency,
    }).concurrency

  assert.deepEqual([orders.concurrency, made(3, 8), made(8, 3)], [1, 3, 3])
})

test('parts and rates that say nothing are refused', () => {
  class Numbered extends crm.source('numbered', { id: bigint().primaryKey(), tx: bigint() }) {}
  const chunk = { firstLoad: { chunk: '30d' } } as const
  assert.throws(() => changedSince(Numbered, { cursor: xid('tx'), ...chunk }), /is a number and knows no time/)
  assert.throws(() => changedSince(Order, { cursor: 'changedAt', firstLoad: { rows: 0 } }), /no number of rows/)
  assert.throws(() => changedSince(Order, { cursor: 'changedAt', firstLoad: { chunk: '0d' } }), /has no length/)
  assert.throws(() => fullLoad(Order, { maxRowsPerSecond: 0 }), /maxRowsPerSecond is 0/)
  assert.throws(() => fullLoad(Order, { maxConnections: 0.5 }), /maxConnections is 0.5/)
})
