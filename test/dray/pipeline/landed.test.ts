import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { instantNow } from 'dray/internal/active-record/stamped-rows.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, type Loading, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { compareInstants } from 'dray/internal/pipeline/texts/instant.ts'
import { StagedRun } from 'dray-infra/internal/testing/staged-run.ts'
import { onEachEngine } from './engines.ts'
import { runPipeline, runReference } from './harness.ts'

const source = database('landed-source')
const target = database('landed-target')

class Item extends source.table('item', { id: bigint().primaryKey(), label: varchar(20) }) {}
class Stock extends target.table('stock', {
  id: bigint().primaryKey(),
  loadedAt: timestamp().landed(),
  label: text().nullable(),
  deletedAt: timestamp().nullable(),
}) {}
class Version extends target.table('stock_version', {
  id: bigint().primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
  label: varchar(20),
  loadedAt: timestamp().landed(),
}) {}

// biome-ignore lint/suspicious/noExplicitAny: pipelines of several targets.
type AnyPipeline = Pipeline<any, any>

/** Long ago, as no clock says it. */
const AGO = timestampOf('2001-02-03 04:05:06')
// What the transform gives counts for nothing.
const transform = ({ id, label }: Item) => ({ id, label: `tab\t${label}`, loadedAt: AGO })
const of = (load: Loading<typeof Stock>) => pipeline('items', { extract: fullLoad(Item), transform, load })
const loads = { upsert: of(upsert(Stock, { by: 'id' })), append: of(append(Stock)), replace: of(replace(Stock)) }
const soft = pipeline('items', {
  extract: fullLoad(Item),
  transform,
  load: upsert(Stock, { by: 'id' }),
  deletes: { soft: 'deletedAt', most: 1 },
})
const versions = pipeline('items', {
  extract: fullLoad(Item),
  transform: ({ id, label }: Item) => ({ id, label }),
  load: history(Version, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
  deletes: 'close',
})

onEachEngine('landed()', [source, target], (engine) => {
  const run = (one: AnyPipeline, id: string) => runPipeline(one, id, engine.harness.services)
  const runAt = (one: AnyPipeline, id: string, at: string) =>
    new StagedRun(one, { ...runReference(id), started_at: at }, engine.harness.services).whole()
  const now = () => target.withConnection(instantNow)
  const stamps = async () => (await Stock.all().order('id').toArray()).map(({ loadedAt }) => loadedAt)
  const isBetween = (stamp: string, from: string, to: string) =>
    assert.ok(compareInstants(from, stamp) <= 0 && compareInstants(stamp, to) <= 0, `${from} ≤ ${stamp} ≤ ${to}`)

  beforeEach(async () => {
    for (const model of [Item, Stock, Version] as unknown as ModelClass[]) await model.createTable()
    await Item.insertAll([1n, 2n, 3n].map((id) => ({ id, label: `${id}` })))
  })

  for (const [kind, one] of Object.entries(loads)) {
    test(`${kind}: a row gets the time of its load by the target's clock, whatever the transform gives`, async () => {
      const before = await now()

      await run(one, 'run-1')

      for (const stamp of await stamps()) isBetween(stamp, before, await now())
      assert.deepEqual(
        (await Stock.all().order('id').toArray()).map(({ label }) => label),
        ['tab\t1', 'tab\t2', 'tab\t3'],
      )
    })
  }

  test('a row that has not changed keeps its time, and one that has gets another', async () => {
    await run(loads.upsert, 'run-1')
    const [first, , third] = await stamps()
    await (await Item.find(2n)).assign({ label: 'new' }).saveOrFail()
    const before = await now()

    await run(loads.upsert, 'run-2')

    const [still, moved, stillThird] = await stamps()
    assert.deepEqual([still, stillThird], [first, third])
    isBetween(moved as string, before, await now())
  })

  test('the rows of a replace land when they are swapped in', async () => {
    const staged = new StagedRun(loads.replace, runReference('run-1'), engine.harness.services)
    const planned = await staged.plan()
    for (const { partition } of planned.partitions) await staged.load(await staged.prepare(planned, partition))
    const gathered = await now()

    await staged.commit(planned)

    for (const stamp of await stamps()) isBetween(stamp, gathered, await now())
  })

  test('a soft delete moves it, and so does the row that comes back', async () => {
    await run(soft, 'run-1')
    await Item.deleteAll({ id: 2n })
    const deleted = await now()
    await run(soft, 'run-2')
    isBetween((await stamps())[1] as string, deleted, await now())
    await Item.insertAll([{ id: 2n, label: '2' }])
    const back = await now()

    await run(soft, 'run-3')

    isBetween((await stamps())[1] as string, back, await now())
  })

  test('the end of a version moves it', async () => {
    await runAt(versions, 'run-1', '2024-06-01T02:00:00.000Z')
    await Item.deleteAll({ id: 2n })
    await (await Item.find(3n)).assign({ label: 'new' }).saveOrFail()
    const before = await now()

    await runAt(versions, 'run-2', '2024-06-02T02:00:00.000Z')

    const all = await Version.all().order('id').toArray()
    const later = all.filter(({ loadedAt }) => compareInstants(before, loadedAt) <= 0)
    assert.deepEqual(later.map(({ id, validTo }) => [id, validTo === null]).sort(), [
      [2n, false],
      [3n, false],
      [3n, true],
    ])
  })

  test('a record that is saved gets it, too', async () => {
    const before = await now()
    const record = await Stock.create({ id: 9n, loadedAt: AGO, label: 'x' })
    isBetween(record.loadedAt, before, await now())
    const again = await now()

    await record.assign({ label: 'y', loadedAt: AGO }).saveOrFail()

    isBetween((await Stock.find(9n)).loadedAt, again, await now())
  })
})

test('a field that is landed() is a time stamp, and the only one', () => {
  assert.throws(
    () => target.table('odd', { id: bigint().primaryKey(), at: bigint().landed() }),
    /at is landed\(\), .*declare it as timestamp\(\)\.landed\(\)/,
  )
  assert.throws(
    () => target.table('odd', { at: timestamp().landed(), to: timestamp().landed() }),
    /at and to are both landed\(\)/,
  )
})
