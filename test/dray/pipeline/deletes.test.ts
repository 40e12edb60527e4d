import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { DataQualityError, TerminalError } from 'dray/internal/errors.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, planRun, prepare, runPipeline } from './harness.ts'

const source = database('deletes-source')
const target = database('deletes-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  code: varchar(20).nullable(),
  label: text().nullable(),
  changedAt: timestamp().nullable(),
}) {}
class Product extends target.table('product', {
  id: bigint().primaryKey(),
  label: varchar(10),
  deletedAt: timestamp().nullable(),
  isDeleted: boolean().nullable(),
}) {}
class Counted extends target.table('counted', {
  id: bigint().primaryKey(),
  label: varchar(10),
  deletedAt: timestamp().nullable(),
  updatedAt: timestamp().touch(),
  version: bigint().lockVersion(),
}) {}
class Meeting extends source.table('meeting', { at: timestamp().primaryKey(), changedAt: timestamp() }) {}
class Held extends target.table('held', { at: timestamp().primaryKey() }) {}
class Coded extends target.table('coded', { code: varchar(20).primaryKey(), label: varchar(10) }) {}

const transform = ({ id, label }: Item) => (label === null || label === 'skip' ? null : { id, label })
const extract = fullLoad(Item, { partitionRows: 7 })
const load_ = upsert(Product, { by: 'id' })
const hard = pipeline('items', { extract, transform, load: load_, deletes: 'hard' })
const soft = pipeline('items', { extract, transform, load: load_, deletes: { soft: 'deletedAt' } })
const flagged = pipeline('items', { extract, transform, load: load_, deletes: { soft: 'isDeleted' } })
const counted = pipeline('items', {
  extract,
  transform: ({ id, label }) => ({ id, label: label ?? '' }),
  load: upsert(Counted, { by: 'id' }),
  deletes: { soft: 'deletedAt', most: 1 },
})
const most = pipeline('items', { extract, transform, load: load_, deletes: { hard: true, most: 1 } })
const ignoring = pipeline('items', { extract, transform, load: load_ })
const changing = pipeline('items', {
  extract: changedSince(Item, { cursor: 'changedAt', lag: '0s' }),
  transform,
  load: load_,
  deletes: 'hard',
})
const coded = pipeline('items', {
  extract,
  transform: ({ code, label }) => (code === null || label === null ? null : { code, label }),
  load: upsert(Coded, { by: 'code' }),
  deletes: { hard: true, key: 'code' },
})
const meetings = pipeline('meetings', {
  extract: changedSince(Meeting, { cursor: 'changedAt', lag: '0s' }),
  transform: ({ at }) => ({ at }),
  load: upsert(Held, { by: 'at' }),
  deletes: 'hard',
})
const negating = pipeline('items', {
  extract,
  transform: ({ id, label }) => ({ id: id < 0n ? -id : id, label: label ?? '' }),
  load: load_,
  deletes: 'hard',
})

class Stamped extends target.table('stamped', {
  id: bigint().primaryKey(),
  label: varchar(10),
  changedAt: timestamp().nullable(),
  deletedAt: timestamp().nullable(),
  isDeleted: boolean().nullable(),
}) {}
const guarded = upsert(Stamped, { by: 'id', version: 'changedAt' })
const keep = ({ id, label, changedAt }: Item) => (label === null ? null : { id, label, changedAt })
const stamping = pipeline('items', {
  extract: fullLoad(Item),
  transform: keep,
  load: guarded,
  deletes: { soft: 'deletedAt' },
})
const flagging = pipeline('items', {
  extract: fullLoad(Item),
  transform: keep,
  load: guarded,
  deletes: { soft: 'isDeleted' },
})
const stampingChanges = pipeline('items', {
  extract: changedSince(Item, { cursor: 'changedAt', lag: '0s' }),
  transform: keep,
  load: guarded,
  deletes: { soft: 'deletedAt' },
})

const AT = timestampOf('2024-01-01')
const items = (...ids: number[]) => ids.map((id) => ({ id: BigInt(id), label: `${id}`, changedAt: AT }))
const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
const ids = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))

onEachEngine('deletes', [source, target], (engine) => {
  // biome-ignore lint/suspicious/noExplicitAny: pipelines of several targets.
  const run = (of: Pipeline<any, any>, id: string) => runPipeline(of, id, engine.harness.services)
  const step = async (id: string) => (await engine.harness.services.state.run(id))?.steps[0]
  const release = (id: string) => engine.harness.services.state.releaseLease('items', id)

  beforeEach(async () => {
    for (const model of [Item, Product, Coded] as unknown as ModelClass[]) await model.createTable()
  })

  test('rows whose source row is gone stay, unless a pipeline says otherwise', async () => {
    await Item.insertAll(items(1, 2))
    await run(ignoring, 'run-1')
    await Item.deleteAll({ id: 1n })

    await run(ignoring, 'run-2')

    assert.deepEqual(await ids(), [1, 2])
    assert.equal((await step('run-2'))?.deleted, 0)
  })

  test('hard: rows whose source row is gone are deleted, and no others', async () => {
    await Item.insertAll(items(...range(30)))
    await run(hard, 'run-1')
    await Item.deleteAll({ id: [1n, 15n, 30n] })

    await run(hard, 'run-2')

    assert.deepEqual(
      await ids(),
      range(29).filter((id) => id !== 1 && id !== 15),
    )
    assert.equal((await step('run-2'))?.deleted, 3)
    assert.equal((await step('run-1'))?.deleted, 0)
  })

  test('a row that the source has is never deleted, though it is filtered now', async () => {
    await Item.insertAll(items(1, 2))
    await run(hard, 'run-1')
    await Item.upsertAll([{ id: 1n, label: 'skip' }], { by: 'id' })

    await run(hard, 'run-2')

    assert.deepEqual(await ids(), [1, 2])
  })

  test('under a cursor: the keys of the source are read in full', async () => {
    await Item.insertAll(items(...range(20)))
    await run(changing, 'run-1')
    await Item.deleteAll({ id: 7n })

    const output = await run(changing, 'run-2')

    assert.equal(output.read, 0)
    assert.equal((await step('run-2'))?.deleted, 1)
    assert.deepEqual(
      await ids(),
      range(20).filter((id) => id !== 7),
    )
  })

  test('soft: marked with the start of the run, once, and undeleted by the load that finds the row again', async () => {
    await Item.insertAll(items(1, 2, 3))
    await run(soft, 'run-1')
    await Item.deleteAll({ id: 2n })
    await run(soft, 'run-2')
    const marked = (await Product.find(2n)).deletedAt
    await run(soft, 'run-3')
    const again = (await step('run-3'))?.deleted
    await Item.insertAll(items(2))

    const output = await run(soft, 'run-4')

    assert.equal(marked, '2024-06-01 02:00:00')
    assert.equal(again, 0)
    assert.deepEqual([output.updated, output.unchanged], [1, 2])
    assert.equal((await Product.find(2n)).deletedAt, null)
  })

  test('soft: the lock version goes up and the time of the last change is set, in marked rows only', async () => {
    await Counted.createTable()
    await Item.insertAll(items(1, 2))
    await run(counted, 'run-1')
    const before = await Counted.all().order('id').toArray()
    await Counted.database.query("update counted set updated_at = '2020-01-01 00:00:00'")
    await Item.deleteAll({ id: 2n })

    await run(counted, 'run-2')

    const rows = await Counted.all().order('id').toArray()
    assert.deepEqual(
      rows.map(({ version }, index) => version - (before[index]?.version ?? 0n)),
      [0n, 1n],
    )
    assert.deepEqual(
      rows.map(({ updatedAt }) => updatedAt),
      ['2020-01-01 00:00:00', '2024-06-01 02:00:00'],
    )
    const stale = before[1]
    stale?.assign({ label: 'changed' })
    await assert.rejects(async () => stale?.save())
  })

  test('soft: a row that comes back with an older version is written and not marked any more', async () => {
    await Stamped.createTable()
    for (const [of, name] of [
      [stamping, 'stamp'],
      [flagging, 'flag'],
    ] as const) {
      await Item.deleteAll()
      await Stamped.deleteAll()
      await Item.insertAll(items(1, 2))
      await run(of, `${name}-1`)
      await Item.deleteAll({ id: 2n })
      await run(of, `${name}-2`)
      const { deletedAt, isDeleted } = await Stamped.find(2n)
      assert.ok(deletedAt !== null || isDeleted)
      const before = timestampOf('2023-01-01')
      await Item.insertAll([{ id: 2n, label: 'anew', changedAt: before }])
      await Item.upsertAll([{ id: 1n, label: 'older', changedAt: before }], { by: 'id' })

      const output = await run(of, `${name}-3`)

      assert.deepEqual([output.updated, output.unchanged], [1, 1])
      const rows = await Stamped.all().order('id').toArray()
      assert.deepEqual(
        rows.map(({ label, changedAt }) => [label, changedAt]),
        [
          ['1', AT],
          ['anew', before],
        ],
      )
      assert.ok(rows.every((row) => row.deletedAt === null && row.isDeleted !== true))
    }
  })

  test('soft, under a cursor: a row that comes back with an older stamp is not marked any more, and that is said', async () => {
    await Stamped.createTable()
    await Item.insertAll(items(1, 2))
    await run(stampingChanges, 'run-1')
    await Item.deleteAll({ id: 2n })
    await run(stampingChanges, 'run-2')
    const marked = (await Stamped.find(2n)).deletedAt
    await Item.insertAll(items(2))

    const output = await run(stampingChanges, 'run-3')

    assert.notEqual(marked, null)
    assert.equal(output.read, 0)
    assert.equal((await Stamped.find(2n)).deletedAt, null)
    const notes = (await step('run-3'))?.notes?.join()
    assert.match(
      notes ?? '',
      /1 rows of deletes-target.stamped .* not marked any more.*npx dray reconcile items --deep/,
    )
  })

  test('soft: a second delivery of a Commit that took marks away says so as well', async () => {
    await Stamped.createTable()
    await Item.insertAll(items(1, 2))
    await run(stampingChanges, 'run-1')
    await Item.deleteAll({ id: 2n })
    await run(stampingChanges, 'run-2')
    await Item.insertAll(items(2))
    const { services } = engine.harness
    const planned = await planRun(stampingChanges, 'run-3', services)
    for (const { partition } of planned.partitions)
      await load(stampingChanges, await prepare(stampingChanges, 'run-3', planned, partition, services), services)
    const dying = new Proxy(services.state, {
      get: (store, name: keyof StateStore) =>
        name === 'commit' ? () => Promise.reject(new Error('killed')) : (store[name] as () => void).bind(store),
    })
    await assert.rejects(commitRun(stampingChanges, 'run-3', planned, { ...services, state: dying }), /killed/)

    await commitRun(stampingChanges, 'run-3', planned, services)

    assert.equal((await Stamped.find(2n)).deletedAt, null)
    assert.match((await step('run-3'))?.notes?.join() ?? '', /not marked any more/)
  })

  test('soft: a replay of an older row does not bring back one that was deleted since', async () => {
    await Stamped.createTable()
    await Item.insertAll(items(1, 2))
    await run(stamping, 'run-1')
    await Item.upsertAll([{ id: 1n, label: 'far too long', changedAt: timestampOf('2023-01-01') }], { by: 'id' })
    await run(stamping, 'run-2')
    await Item.deleteAll({ id: 1n })
    await run(stamping, 'run-3')
    const marked = (await Stamped.find(1n)).deletedAt

    const shortened = pipeline('items', {
      extract: fullLoad(Item),
      transform: ({ id, changedAt }) => ({ id, label: 'older', changedAt }),
      load: guarded,
      deletes: { soft: 'deletedAt' },
    })
    const output = await runPipeline(shortened, 'run-4', engine.harness.services, { replay: {} })

    assert.notEqual(marked, null)
    assert.deepEqual([output.read, output.unchanged], [1, 1])
    const { label, deletedAt } = await Stamped.find(1n)
    assert.deepEqual([label, deletedAt], ['1', marked])
  })

  test('soft: a boolean serves as well', async () => {
    await Item.insertAll(items(1, 2))
    await run(flagged, 'run-1')
    await Item.deleteAll({ id: 2n })

    await run(flagged, 'run-2')
    await run(flagged, 'run-3')

    assert.deepEqual(
      (await Product.all().order('id').toArray()).map(({ isDeleted }) => isDeleted),
      [false, true],
    )
    assert.deepEqual([(await step('run-2'))?.deleted, (await step('run-3'))?.deleted], [1, 0])
  })

  test('more than the share that is borne: nothing is deleted and nothing advances, unless told', async () => {
    await Item.insertAll(items(...range(60)))
    await run(changing, 'run-1')
    const before = (await engine.harness.services.state.pipeline('items'))?.lastRun
    await Item.deleteAll(['id <= ?', 11n])

    await assert.rejects(
      run(changing, 'run-2'),
      (error: Error) =>
        error instanceof DataQualityError &&
        /11 of 60 rows .* at most 10 may be deleted, so none was/.test(error.message),
    )

    assert.equal((await ids()).length, 60)
    assert.equal((await engine.harness.services.state.pipeline('items'))?.lastRun, before)
    await release('run-2')
    await run(most, 'run-3')
    assert.equal((await ids()).length, 49)
  })

  test('keys that the models write otherwise than the source are not gone: moments with an offset', async () => {
    await Meeting.createTable()
    await Held.createTable()
    await source.query('drop table meeting')
    const moment = { postgres: 'timestamptz', mysql: 'datetime(6)', sqlite: 'text' }[engine.dialect]
    const text = engine.dialect === 'postgres' ? 'text' : 'varchar(40)'
    await source.query(`create table meeting (at ${text} primary key, changed_at ${moment} not null)`)
    const texts = ['2024-01-01 12:00:00+02:00', '2024-01-01T12:00:00.5+02:00', '2024-01-01 12:00:01']
    for (const text of texts) await source.query(`insert into meeting values ('${text}', '2024-01-01 00:00:00')`)

    await runPipeline(meetings, 'run-1', engine.harness.services)
    const next = await runPipeline(meetings, 'run-2', engine.harness.services)

    assert.equal(next.read, 0)
    assert.deepEqual(
      (await Held.all().order('at').toArray()).map(({ at }) => at),
      ['2024-01-01 10:00:00', '2024-01-01 10:00:00.500000', '2024-01-01 12:00:01'].map(timestampOf),
    )
  })

  test('a source that suddenly reads as empty deletes nothing, whatever it is told', async () => {
    await Item.insertAll(items(1, 2, 3))
    await run(most, 'run-1')
    await Item.deleteAll()

    await assert.rejects(run(most, 'run-2'), /item has no row at all, so none of the 3 rows/)

    assert.deepEqual(await ids(), [1, 2, 3])
  })

  test('keys are compared exactly, in any order that an engine sorts them', async () => {
    const codes = ['a', 'A', 'á', 'B', 'b', 'Z', 'z', '_', 'a b', 'ab', '😀', '\uffee', '10', '9', "o'b", 'back\\slash']
    await Item.insertAll(codes.map((code, index) => ({ id: BigInt(index), code, label: 'x' })))
    await run(coded, 'run-1')
    await Item.deleteAll({ code: 'A' })
    await Item.deleteAll({ code: '😀' })

    await run(coded, 'run-2')

    const left = (await Coded.all().toArray()).map(({ code }) => code).sort()
    assert.deepEqual(left, codes.filter((code) => code !== 'A' && code !== '😀').sort())
  })

  test('a transform that changes the key stops the run before anything is loaded', async () => {
    await Item.insertAll(items(1, -2))

    await assert.rejects(
      run(negating, 'run-1'),
      (error: Error) => error instanceof TerminalError && /makes id 2 of id -2/.test(error.message),
    )

    assert.deepEqual(await ids(), [])
  })

  test('a Commit delivered twice deletes once and says the same; one that was overtaken deletes nothing', async () => {
    await Item.insertAll(items(1, 2, 3))
    await run(hard, 'run-1')
    await Item.deleteAll({ id: 1n })
    const { services } = engine.harness
    const planned = await planRun(hard, 'run-2', services)
    await load(hard, await prepare(hard, 'run-2', planned, 0, services), services)
    await commitRun(hard, 'run-2', planned, services)
    await Product.insertAll([{ id: 9n, label: 'by hand' }])

    await commitRun(hard, 'run-2', planned, services)

    assert.equal((await step('run-2'))?.deleted, 1)
    assert.deepEqual(await ids(), [2, 3, 9])
    await planRun(hard, 'run-3', services)
    await assert.rejects(commitRun(hard, 'run-2', planned, services), /epoch/)
    assert.deepEqual(await ids(), [2, 3, 9])
  })
})

test('what does not fit is refused when it is declared', () => {
  const declare = (deletes: never) => () => pipeline('items', { extract, transform, load: load_, deletes })

  assert.throws(declare('close' as never), /does not go with upsert\(\)/)
  assert.throws(declare({ soft: 'label' } as never), /neither a nullable timestamp nor a boolean/)
  assert.throws(declare({ hard: true, most: 2 } as never), /has most: 2/)
  assert.throws(
    declare({ hard: true, key: ['id', 'code'] } as never),
    /which fields of the source are the target's key/,
  )
})
