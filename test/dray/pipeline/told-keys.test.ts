import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, text, timestamp, uuid } from 'dray/internal/active-record/field-kinds.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline } from './harness.ts'

const source = database('told-keys-source')
const target = database('told-keys-target')

class Line extends source.table('line', {
  invoice: bigint().primaryKey(),
  nth: bigint().primaryKey(),
  isGone: boolean().nullable(),
}) {}
class Held extends target.table('held', { nth: bigint().primaryKey(), invoice: bigint().primaryKey() }) {}
class Renamed extends target.table('renamed', { position: bigint().primaryKey(), bill: bigint().primaryKey() }) {}
class Item extends source.table('item', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  at: timestamp().nullable(),
  goneAt: timestamp().nullable(),
}) {}
/** Its table has no key. */
class Loose extends source.source('loose', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  goneAt: timestamp().nullable(),
}) {}
class Product extends target.table('product', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  deletedAt: timestamp().nullable(),
}) {}
class Stamped extends target.table('stamped', {
  id: bigint().primaryKey(),
  at: timestamp().nullable(),
  deletedAt: timestamp().nullable(),
}) {}
class Place extends source.table('place', {
  id: uuid().primaryKey(),
  parent: uuid().nullable(),
  goneAt: timestamp().nullable(),
}) {}
class Site extends target.table('site', { id: uuid().primaryKey(), parent: uuid().nullable() }) {}

const lines = { extract: fullLoad(Line), transform: ({ invoice, nth }: Line) => ({ nth, invoice }) }
const held = upsert(Held, { by: ['nth', 'invoice'] })
const extract = fullLoad(Item)
const load = upsert(Product, { by: 'id' })
const transform = ({ id, label }: Item) => ({ id, label })
const flagged = pipeline('items', {
  extract,
  transform,
  load,
  deletes: { flag: 'goneAt' },
  quarantine: { rows: 10, share: 1 },
})
const versioned = pipeline('items', {
  extract,
  transform: ({ id, at }) => ({ id, at }),
  load: upsert(Stamped, { by: 'id', version: 'at' }),
  deletes: { flag: 'goneAt', soft: 'deletedAt' },
})
const loose = pipeline('loose', {
  extract: fullLoad(Loose),
  transform: ({ id, label }) => ({ id, label }),
  load,
  deletes: { flag: 'goneAt' },
})
const copied = pipeline('items', {
  extract,
  transform: copyFields(Item, { id: 'id', label: 'label' }),
  load,
  deletes: { flag: 'goneAt', soft: 'deletedAt' },
})
const sites = pipeline('sites', {
  extract: fullLoad(Place),
  transform: ({ id, parent }) => ({ id, parent }),
  load: upsert(Site, { by: 'id' }),
  deletes: { flag: 'goneAt' },
})

const AT = timestampOf('2024-01-01')
const items = (...ids: number[]) => ids.map((id) => ({ id: BigInt(id), label: `${id}` }))

onEachEngine('the key of a row that says that it is deleted', [source, target], (engine) => {
  // biome-ignore lint/suspicious/noExplicitAny: pipelines of several targets.
  const run = (of: Pipeline<any, any>, id: string) => runPipeline(of, id, engine.harness.services)
  const ids = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))

  test('is that of the target, in whichever order the source has its fields', async () => {
    for (const model of [Line, Held]) await model.createTable()
    await Line.insertAll([
      { invoice: 1n, nth: 2n },
      { invoice: 2n, nth: 1n },
    ])
    await run(pipeline('lines', { ...lines, load: held }), 'run-1')
    await Line.where({ invoice: 2n }).deleteAll()
    await Line.upsertAll([{ invoice: 1n, nth: 2n, isGone: true }], { by: ['invoice', 'nth'] })

    await run(pipeline('lines', { ...lines, load: held, deletes: { flag: 'isGone' } }), 'run-2')

    const left = (await Held.all().toArray()).map(({ invoice, nth }) => [invoice, nth])
    assert.deepEqual(left, [[2n, 1n]])
  })

  test('may have been spelled otherwise, in a table that refers to itself', async () => {
    for (const model of [Place, Site]) await model.createTable()
    const [id, type] = ['foreign key (parent) references site (id)', engine.dialect === 'mysql' ? 'char(36)' : 'text']
    if (engine.dialect === 'sqlite') {
      await target.query('drop table site')
      await target.query(`create table site (id ${type} primary key, parent ${type}, ${id})`)
    } else await target.query(`alter table site add constraint site_parent ${id}`)
    const [top, leaf] = [1, 2].map((nth) => `abcdef00-0000-4000-8000-00000000000${nth}`) as [string, string]
    await Place.insertAll([{ id: top }, { id: leaf, parent: top }])
    await run(sites, 'run-1')
    await Place.upsertAll(
      [
        { id: top, goneAt: AT },
        { id: leaf, parent: top, goneAt: AT },
      ] as never,
      { by: 'id' },
    )

    const { deleted } = await run(sites, 'run-2')

    assert.deepEqual([deleted, await Site.all().count()], [2, 0])
  })

  test('is no key of a row that a flag says nothing of: a zero date, an infinite moment, a text', async () => {
    for (const model of [Item, Product]) await model.createTable()
    await Item.insertAll(items(1, 2, 3))
    await run(flagged, 'run-1')
    const odd = { postgres: 'infinity', mysql: '0000-00-00 00:00:00', sqlite: '' }[engine.dialect]
    await source.transaction(async () => {
      if (engine.dialect === 'mysql') await source.query("set @kept = @@sql_mode, sql_mode = ''")
      await source.query(`update item set gone_at = '${odd}' where id = 1`)
      if (engine.dialect === 'mysql') await source.query('set sql_mode = @kept')
      await source.query("update item set gone_at = '2024-01-01 00:00:00' where id = 2")
    })

    const { deleted, unchanged, quarantined: kept } = await run(flagged, 'run-2')

    assert.deepEqual([deleted, unchanged, kept, await ids()], [1, 1, 1, [1, 3]])
    const [row] = await quarantined(engine.harness, 'run-2', 'items')
    assert.match(
      `${row?.errors[0]?.field}: ${row?.errors[0]?.message}`,
      /^goneAt: .*does not say whether the row is del/,
    )
  })

  test('is refused where another row of the source has it and does not say so', async () => {
    await Product.createTable()
    const moment = { postgres: 'timestamp', mysql: 'datetime', sqlite: 'text' }[engine.dialect]
    await source.query(`create table loose (id bigint, label varchar(20), gone_at ${moment})`)
    await source.query("insert into loose values (1, 'old', '2024-01-01 00:00:00'), (1, 'new', null), (2, 'new', null)")

    await assert.rejects(
      () => run(loose, 'run-1'),
      (error) => error instanceof TerminalError && /has several rows of id 1, one of which says/.test(error.message),
    )

    assert.deepEqual(await ids(), [1, 2])
    await source.query("update loose set gone_at = '2024-01-01 00:00:00' where id = 1")
    await engine.harness.services.state.releaseLease('loose', 'run-1')
    await run(loose, 'run-2')
    assert.deepEqual(await ids(), [2])
  })

  test('is looked for by a comparison, whatever digests say of the other columns', async () => {
    for (const model of [Item, Product]) await model.createTable()
    await Item.insertAll(items(1, 2, 3))
    await run(copied, 'run-1')
    await source.query("update item set gone_at = '2024-01-01 00:00:00' where id < 3")

    const before = await reconcile(copied, engine.harness.services)
    await run(copied, 'run-2')
    const after = await reconcile(copied, engine.harness.services)

    assert.deepEqual([before.counts.extra, before.source.rows, before.leftOut.deleted], [2, 3, 2])
    assert.deepEqual([after.counts.extra, after.source.rows, after.leftOut.deleted], [0, 3, 2])
    assert.equal(after.equalByDigest, engine.dialect === 'sqlite' ? 0 : 1)
  })

  test('is that of a row that is back, whatever its version, and a run of some rows takes the mark away', async () => {
    for (const model of [Item, Stamped]) await model.createTable()
    const stamped = (at: string | null, goneAt: string | null) =>
      Item.upsertAll([{ id: 1n, label: 'one', at, goneAt }] as never, { by: 'id' })
    await stamped('2024-01-02 00:00:00', null)
    await run(versioned, 'run-1')
    await stamped('2024-01-02 00:00:00', '2024-01-03 00:00:00')
    await run(versioned, 'run-2')
    const marked = await Stamped.findBy({ id: 1n })
    await stamped('2024-01-01 00:00:00', null)

    await runPipeline(versioned, 'run-3', engine.harness.services, { keys: ['1'] })

    assert.notEqual(marked?.deletedAt, null)
    const { deletedAt, at } = (await Stamped.findBy({ id: 1n })) as Stamped
    assert.deepEqual([deletedAt, at], [null, timestampOf('2024-01-01')])
    assert.deepEqual((await reconcile(versioned, engine.harness.services)).differences, [])
  })

  test('is all that is looked at of a row that is too large', async () => {
    for (const model of [Item, Product]) await model.createTable()
    await Item.insertAll(items(1, 2))
    const small = {
      extract,
      transform,
      load,
      limits: { valueBytes: 50, rowBytes: 300 },
      quarantine: { rows: 10, share: 1 },
    }
    const limited = pipeline('items', { ...small, deletes: { flag: 'goneAt' } })
    await run(limited, 'run-1')
    await source.query(`update item set label = '${'longer'.repeat(20)}' where id < 3`)
    await source.query("update item set gone_at = '2024-01-01 00:00:00' where id = 1")

    const { deleted, quarantined: kept } = await run(limited, 'run-2')

    assert.deepEqual([deleted, kept, await ids()], [1, 1, [2]])
  })

  test('is refused of a transform where the source having it takes the mark away', async () => {
    for (const model of [Item, Product]) await model.createTable()
    await Item.insertAll(items(1, 2))
    const unmarked = pipeline('items', {
      extract,
      transform: (item, row) => (item.id === 1n ? row.delete() : transform(item)),
      load,
      deletes: { soft: 'deletedAt' },
    })

    await assert.rejects(
      () => run(unmarked, 'run-1'),
      (error) => error instanceof TerminalError && /deletes: \{ told: true, soft: 'deletedAt' \}/.test(error.message),
    )

    assert.deepEqual(await ids(), [])
  })
})

describe('a key of several fields', () => {
  test('is refused where a flag goes by it and its names do not say which field is which', () => {
    const transformed = {
      extract: fullLoad(Line),
      transform: ({ invoice, nth }: Line) => ({ position: nth, bill: invoice }),
      load: upsert(Renamed, { by: ['position', 'bill'] }),
    }

    assert.throws(
      () => pipeline('lines', { ...transformed, deletes: { flag: 'isGone' } }),
      (error) =>
        error instanceof ConfigurationError && /which fields of the source are position, bill/.test(error.message),
    )
    const { deletes } = pipeline('lines', { ...transformed, deletes: { flag: 'isGone', key: ['nth', 'invoice'] } })
    assert.deepEqual(deletes.key, ['nth', 'invoice'])
  })
})
