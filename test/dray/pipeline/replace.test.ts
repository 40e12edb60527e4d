import assert from 'node:assert/strict'
import { beforeEach, mock as nodeMock, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import type { PlanOutput } from 'dray/internal/messages/stages.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, replace } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { readPlan } from 'dray/internal/pipeline/plan/staged-plan.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, planRun, prepare, quarantined, runPipeline, runReference } from './harness.ts'

// biome-ignore lint/suspicious/noExplicitAny: a pipeline of any models.
type AnyPipeline = Pipeline<any, any>

const source = database('replace-source')
const target = database('replace-target')

class Item extends source.table('item', { id: bigint().primaryKey(), label: text().nullable() }) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: varchar(10) }) {}
const LONG = 'n'.repeat(62)
class Long extends target.table(LONG, { id: bigint().primaryKey(), label: varchar(10) }) {}
class Entry extends target.table('entry', { id: bigint(), label: varchar(10) }) {}

const transform = (item: Item, row: { reject(field: string, code: string): null }) =>
  item.label === null ? row.reject('label', 'missing') : { id: item.id, label: item.label }
const extract = fullLoad(Item, { partitionRows: 3 })
const replacing = pipeline('items', { extract, transform, load: replace(Product) })
const long = pipeline('items', { extract, transform, load: replace(Long) })
const shrinking = pipeline('items', { extract, transform, load: replace(Product, { most: 0.97 }) })
const emptying = pipeline('items', { extract, transform, load: replace(Product, { allowEmpty: true }) })
const keyless = pipeline('items', { extract, transform, load: append(Entry), entity: 'shop/items' })
const appending = pipeline('items', { extract, transform, load: append(Product) })
class Twice extends source.table('twice', { id: bigint(), label: text() }) {}
const gathering = pipeline('items', {
  extract: fullLoad(Twice),
  transform: ({ id, label }) => ({ id, label }),
  load: replace(Entry),
})
class Numbered extends target.table('numbered', { id: bigint().primaryKey(), revision: bigint() }) {}
const newest = pipeline('items', {
  extract,
  transform: ({ id }) => ({ id: id % 100n, revision: id }),
  load: replace(Numbered, { version: 'revision' }),
})

const items = (ids: readonly number[], label: string) => ids.map((id) => ({ id: BigInt(id), label }))
const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

async function products(): Promise<string[]> {
  return (await Product.all().order('id').toArray()).map(({ id, label }) => `${id} ${label}`)
}

/** Holds the next Commit up between its look at the fence and its swap, each a transaction of the target. */
function holdAtSwap(held: () => Promise<void>): void {
  const transaction = target.transaction.bind(target)
  let asked = 0
  const { mock } = nodeMock.method(target, 'transaction', async (work: Parameters<typeof transaction>[0]) => {
    asked += 1
    if (asked === 2) {
      mock.restore()
      await held()
    }
    return transaction(work)
  })
}

/** The tables of the target but those of Dray. */
async function nextExists(): Promise<boolean> {
  return (await target.withConnection((connection) => connection.describe('product__dray_next'))) !== null
}

onEachEngine('a replace', [source, target], (engine) => {
  const run = (of: Pipeline<typeof Item, typeof Product>, id: string) => runPipeline(of, id, engine.harness.services)

  beforeEach(async () => {
    for (const model of [Item, Product, Entry] as unknown as ModelClass[]) await model.createTable()
  })

  test('takes a table whose name is as long as names may be, with a check', async () => {
    await target.query(
      `create table ${LONG} (id bigint primary key, label varchar(10), constraint small check (id < 100))`,
    )
    await Item.insertAll(items(range(3), 'new'))

    const output = await runPipeline(long, 'run-1', engine.harness.services)

    assert.equal(output.inserted, 3)
    assert.equal(await Long.count(), 3)
  })

  test('leaves the rows of the run and no others, and nothing beside the table', async () => {
    await Product.insertAll(items([1, 2, 99], 'old'))
    await Item.insertAll(items(range(8), 'new'))

    const output = await run(replacing, 'run-1')

    assert.deepEqual(
      await products(),
      range(8).map((id) => `${id} new`),
    )
    assert.deepEqual([output.read, output.inserted], [8, 8])
    assert.equal(await nextExists(), false)
  })

  test('full reload fails at 99 %: the old rows are there until the swap, and after a run that did not come to it', async () => {
    await Product.insertAll(items([1, 2, 99], 'old'))
    await Item.insertAll(items(range(9), 'new'))
    const { services } = engine.harness
    const planned = await planRun(replacing, 'run-1', services)
    for (const { partition } of planned.partitions.slice(0, -1)) {
      await load(replacing, await prepare(replacing, 'run-1', planned, partition, services), services)
    }

    await assert.rejects(commitRun(replacing, 'run-1', planned, services), /2 of 3 partitions/)

    assert.deepEqual(await products(), ['1 old', '2 old', '99 old'])
    await services.state.releaseLease('items', 'run-1')
    await Item.deleteAll({ id: 9n })
    assert.equal((await run(replacing, 'run-2')).inserted, 8)
    assert.equal((await products()).length, 8)
  })

  test('a Commit that is late leaves the table alone in which the next run gathers its rows', async () => {
    await Item.insertAll(items(range(4), 'first'))
    const { services } = engine.harness
    const first = await planRun(replacing, 'run-1', services)
    const gather = async (id: string, planned: PlanOutput) => {
      for (const { partition } of planned.partitions) {
        await load(replacing, await prepare(replacing, id, planned, partition, services), services)
      }
    }
    await gather('run-1', first)
    const { promise: goOn, resolve: letGoOn } = Promise.withResolvers<void>()
    const { promise: isPast, resolve: tellPast } = Promise.withResolvers<void>()
    holdAtSwap(() => {
      tellPast()
      return goOn
    })
    const late = commitRun(replacing, 'run-1', first, services)
    await isPast
    await commitRun(replacing, 'run-1', first, services)
    await services.state.releaseLease('items', 'run-1')
    await Item.insertAll(items([5], 'second'))
    const second = await planRun(replacing, 'run-2', services)
    await gather('run-2', second)

    letGoOn()
    await late.catch(() => {})
    const output = await commitRun(replacing, 'run-2', second, services)

    assert.equal(output.inserted, 5)
    assert.equal((await products()).length, 5)
    assert.equal(await nextExists(), false)
  })

  test('a resumed run gathers its rows anew where another run has emptied the table of gathered ones', async () => {
    const { services } = engine.harness
    const landOne = async (id: string, partition: number) => {
      const planned = await planRun(replacing, id, services)
      await load(replacing, await prepare(replacing, id, planned, partition, services), services)
      await services.state.releaseLease('items', id)
    }
    await Item.insertAll(items(range(9), 'new'))
    await landOne('run-1', 0)
    // As many rows as run-1 had gathered, and others.
    await Item.insertAll(items([10, 11, 12], 'new'))
    await landOne('run-2', 3)

    const output = await runPipeline(replacing, 'run-3', services, { resume: 'run-1' })

    assert.deepEqual([output.read, output.inserted], [12, 12])
    assert.deepEqual(
      await products(),
      range(12).map((id) => `${id} new`),
    )
  })

  test('Replace that empties the target (dlt#3025, airbyte#11251): refused, unless told', async () => {
    await Product.insertAll(items([1, 2], 'old'))

    await assert.rejects(run(replacing, 'run-1'), /would leave replace-target.product empty, so its old rows stay/)

    assert.deepEqual(await products(), ['1 old', '2 old'])
    await engine.harness.services.state.releaseLease('items', 'run-1')
    await run(emptying, 'run-2')
    assert.deepEqual(await products(), [])
  })

  test('a source that is half reloaded leaves the old rows, unless so many may go', async () => {
    await Product.insertAll(items(range(100), 'old'))
    await Item.insertAll(items([1, 2, 3], 'new'))

    await assert.rejects(run(replacing, 'run-1'), {
      name: 'DataQuality',
      message:
        /has 3 rows to replace the 100 of replace-target\.product, which may lose 10 at most, so its old rows stay/,
    })

    assert.equal((await products()).length, 100)
    await engine.harness.services.state.releaseLease('items', 'run-1')
    await run(shrinking, 'run-2')
    assert.deepEqual(await products(), ['1 new', '2 new', '3 new'])
  })

  test('a table that shrinks by what is borne is replaced', async () => {
    await Product.insertAll(items(range(200), 'old'))
    await Item.insertAll(items(range(180), 'new'))

    assert.equal((await run(replacing, 'run-1')).inserted, 180)
  })

  test('a Commit delivered twice swaps once', async () => {
    await Item.insertAll(items(range(3), 'new'))
    const { services } = engine.harness
    const planned = await planRun(replacing, 'run-1', services)
    await load(replacing, await prepare(replacing, 'run-1', planned, 0, services), services)
    await commitRun(replacing, 'run-1', planned, services)
    await Product.insertAll(items([7], 'later'))

    await commitRun(replacing, 'run-1', planned, services)

    assert.deepEqual(await products(), ['1 new', '2 new', '3 new', '7 later'])
  })

  test('a Plan delivered again keeps what has landed since', async () => {
    await Item.insertAll(items(range(6), 'new'))
    const { services } = engine.harness
    const planned = await planRun(replacing, 'run-1', services)
    await load(replacing, await prepare(replacing, 'run-1', planned, 0, services), services)

    await planRun(replacing, 'run-1', services)

    await load(replacing, await prepare(replacing, 'run-1', planned, 1, services), services)
    await commitRun(replacing, 'run-1', planned, services)
    assert.equal((await products()).length, 6)
  })

  test('a zombie writer and a zombie Commit change nothing', async () => {
    await Product.insertAll(items([1], 'old'))
    await Item.insertAll(items(range(3), 'new'))
    const { services } = engine.harness
    const planned = await planRun(replacing, 'run-1', services)
    const input = await prepare(replacing, 'run-1', planned, 0, services)
    await load(replacing, input, services)
    await services.state.releaseLease('items', 'run-1')
    const other = await planRun(replacing, 'run-2', services)

    await assert.rejects(load(replacing, input, services), /epoch/)
    await assert.rejects(commitRun(replacing, 'run-1', planned, services), /epoch/)

    assert.deepEqual(await products(), ['1 old'])
    await load(replacing, await prepare(replacing, 'run-2', other, 0, services), services)
    assert.equal((await commitRun(replacing, 'run-2', other, services)).inserted, 3)
  })

  test('a row that the transform rejects is quarantined alone', async () => {
    await Item.insertAll([...items(range(4), 'new'), { id: 5n, label: null }])

    const output = await run(replacing, 'run-1')

    assert.deepEqual([output.inserted, output.quarantined], [4, 1])
    assert.deepEqual(
      (await quarantined(engine.harness, 'run-1', 'items')).map(({ row }) => row.id),
      ['5'],
    )
  })

  test('rows that other tables refer to are not replaced: they would be deleted along', async () => {
    await target.query(
      'create table sale (product_id bigint, foreign key (product_id) references product (id) on delete cascade)',
    )
    await Item.insertAll(items(range(3), 'new'))

    await assert.rejects(
      run(replacing, 'run-1'),
      /product cannot be replaced, since sale refers to it by a foreign key/,
    )
  })

  test('a table that refers to itself is refused before anything is read, and keeps its rows', async () => {
    await target.query('drop table product')
    await target.query(
      'create table product (id bigint primary key, label varchar(10), parent bigint, foreign key (parent) references product (id) on delete set null)',
    )
    await target.query("insert into product values (1, 'old', null), (2, 'old', 1)")
    await Item.insertAll(items(range(3), 'new'))

    await assert.rejects(
      run(replacing, 'run-1'),
      /product cannot be replaced, since the table itself refers to it by a foreign key.*upsert/,
    )

    assert.deepEqual((await target.query('select parent from product order by id')).rows, [[null], ['1']])
  })

  test('unique keys of the table hold in the one beside it', async () => {
    await target.query('create unique index product_label on product (label)')
    await Item.insertAll([...items([1], 'one'), ...items([2], 'two'), ...items([3], 'one')])

    const output = await run(replacing, 'run-1')

    assert.deepEqual([output.inserted, output.quarantined], [2, 1])
  })
})

/** A trigger that refuses the product 5 when it is inserted, or drops it where the engine has such triggers. */
const refusing: Readonly<Record<Dialect, (table: string) => readonly string[]>> = {
  postgres: (table) => [
    "create or replace function no_five() returns trigger language plpgsql as $$begin if new.id = 5 then raise exception 'no five here'; end if; return new; end$$",
    `create trigger no_five before insert on ${table} for each row execute function no_five()`,
  ],
  mysql: (table) => [
    `create trigger no_five before insert on ${table} for each row begin if new.id = 5 then signal sqlstate '45000' set message_text = 'no five here'; end if; end`,
  ],
  sqlite: (table) => [
    `create trigger no_five before insert on ${table} when new.id = 5 begin select raise(abort, 'no five here'); end`,
  ],
}
const dropping: Readonly<Partial<Record<Dialect, readonly string[]>>> = {
  postgres: [
    'create function no_five() returns trigger language plpgsql as $$begin if new.id = 5 then return null; end if; return new; end$$',
    'create trigger no_five before insert on product for each row execute function no_five()',
  ],
  sqlite: ['create trigger no_five before insert on product when new.id = 5 begin select raise(ignore); end'],
}

/** A trigger that writes the product 5 under another key. */
const rekeying: Readonly<Record<Dialect, readonly string[]>> = {
  postgres: [
    'create function no_five() returns trigger language plpgsql as $$begin if new.id = 5 then new.id = 555; end if; return new; end$$',
    'create trigger no_five before insert on product for each row execute function no_five()',
  ],
  mysql: [
    'create trigger no_five before insert on product for each row begin if new.id = 5 then set new.id = 555; end if; end',
  ],
  sqlite: [
    'create trigger no_five after insert on product when new.id = 5 begin update product set id = 555 where id = 5; end',
  ],
}

onEachEngine('a replace whose table refuses a row', [source, target], (engine) => {
  const run = (of: AnyPipeline, id: string) => runPipeline(of, id, engine.harness.services)
  const but = (gone: number, count: number) => range(count).filter((id) => id !== gone)
  const setUp = async (statements: readonly string[]) => {
    for (const statement of statements) await target.query(statement)
  }

  beforeEach(async () => {
    for (const model of [Item, Product, Entry] as unknown as ModelClass[]) await model.createTable()
  })

  test('quarantines the row alone that a trigger refuses', async () => {
    await setUp(refusing[engine.dialect]('product'))
    await Product.insertAll(items([1, 99], 'old'))
    await Item.insertAll(items(range(8), 'new'))

    const output = await run(replacing, 'run-1')

    assert.deepEqual([output.read, output.inserted, output.quarantined], [8, 7, 1])
    assert.deepEqual(
      await products(),
      but(5, 8).map((id) => `${id} new`),
    )
    const [entry, ...others] = await quarantined(engine.harness, 'run-1', 'items')
    assert.deepEqual([entry?.row.id, entry?.partition, entry?.step, others], ['5', 1, 'load', []])
    assert.match(entry?.errors[0]?.message ?? '', /no five here/)
    assert.equal(await nextExists(), false)
  })

  test('quarantines the row alone in a table without a key, of rows that come several times', async () => {
    await setUp(refusing[engine.dialect]('entry'))
    await Twice.createTable()
    for (const id of [1, 1, 5, 5, 6, 7]) await Twice.insertAll(items([id], 'new'))

    const output = await run(gathering, 'run-1')

    assert.deepEqual([output.inserted, output.quarantined], [4, 2])
    assert.deepEqual(
      (await quarantined(engine.harness, 'run-1', 'items')).map(({ row }) => row.id),
      ['5', '5'],
    )
  })

  test('quarantines a row that a trigger drops', {
    skip: !(engine.dialect in dropping) && 'no such trigger',
  }, async () => {
    await setUp(dropping[engine.dialect] ?? [])
    await Item.insertAll(items(range(8), 'new'))

    const output = await run(replacing, 'run-1')

    assert.deepEqual([output.inserted, output.quarantined], [7, 1])
    assert.deepEqual(
      (await quarantined(engine.harness, 'run-1', 'items')).map(({ row, errors }) => [row.id, errors[0]?.code]),
      [['5', 'dropped']],
    )
  })

  test('quarantines a row that a trigger writes under another key', async () => {
    await setUp(rekeying[engine.dialect])
    await Item.insertAll(items(range(8), 'new'))

    const output = await run(replacing, 'run-1')

    assert.deepEqual([output.inserted, output.quarantined], [7, 1])
    assert.deepEqual(
      await products(),
      but(5, 8).map((id) => `${id} new`),
    )
    assert.deepEqual(
      (await quarantined(engine.harness, 'run-1', 'items')).map(({ row, errors }) => [row.id, errors[0]?.code]),
      [['5', 'dropped']],
    )
  })

  test('a row that only COMMIT would refuse', { skip: engine.dialect !== 'postgres' && 'judged at once' }, async () => {
    await setUp([
      "create function no_five() returns trigger language plpgsql as $$begin if new.id = 5 then raise exception 'no five here'; end if; return new; end$$",
      'create constraint trigger no_five after insert on product deferrable initially deferred for each row execute function no_five()',
    ])
    await Item.insertAll(items(range(8), 'new'))

    const output = await run(replacing, 'run-1')

    assert.deepEqual([output.inserted, output.quarantined], [7, 1])
  })

  test('a Commit delivered again quarantines no row twice, and counts the same', async () => {
    await setUp(refusing[engine.dialect]('product'))
    await Item.insertAll(items(range(8), 'new'))
    const { services } = engine.harness
    const planned = await planRun(replacing, 'run-1', services)
    for (const { partition } of planned.partitions) {
      await load(replacing, await prepare(replacing, 'run-1', planned, partition, services), services)
    }
    const first = await commitRun(replacing, 'run-1', planned, services)

    const second = await commitRun(replacing, 'run-1', planned, services)

    assert.deepEqual([second.inserted, second.quarantined], [first.inserted, first.quarantined])
    assert.equal((await quarantined(engine.harness, 'run-1', 'items')).length, 1)
  })

  test('of several rows of a key the newest is refused, though an older one would be taken', async () => {
    await Numbered.createTable()
    await setUp(refusing[engine.dialect]('numbered'))
    await Item.insertAll(items([1, 5, 205, 105], 'new'))

    const output = await run(newest, 'run-1')

    assert.deepEqual([output.read, output.inserted + output.updated + output.unchanged + output.duplicate], [4, 3])
    assert.deepEqual(
      (await Numbered.all().toArray()).map(({ id }) => id),
      [1n],
    )
    assert.deepEqual(
      (await quarantined(engine.harness, 'run-1', 'items')).map(({ row }) => row.id),
      ['205'],
    )
  })

  test('too many refused rows leave the old ones, and are in the quarantine', async () => {
    await Product.insertAll(items([1], 'old'))
    await target.query(
      {
        postgres: "create function never() returns trigger language plpgsql as $$begin raise exception 'never'; end$$",
        mysql:
          "create trigger never before insert on product for each row signal sqlstate '45000' set message_text = 'never'",
        sqlite: "create trigger never before insert on product begin select raise(abort, 'never'); end",
      }[engine.dialect],
    )
    if (engine.dialect === 'postgres')
      await target.query('create trigger never before insert on product for each row execute function never()')
    await Item.insertAll(items(range(20), 'new'))

    await assert.rejects(run(replacing, 'run-1'), { name: 'DataQuality', message: /20 of 20 rows were quarantined/ })

    assert.deepEqual(await products(), ['1 old'])
    assert.equal((await quarantined(engine.harness, 'run-1', 'items')).length, 20)
  })

  test('a few rows that are all refused leave the old ones', async () => {
    await Product.insertAll(items([1], 'old'))
    await setUp(refusing[engine.dialect]('product'))
    await Item.insertAll(items([5], 'new'))

    await assert.rejects(run(replacing, 'run-1'), /would leave replace-target.product empty, so its old rows stay/)

    assert.deepEqual(await products(), ['1 old'])
  })
})

onEachEngine('an append', [source, target], (engine) => {
  const run = (id: string) => runPipeline(appending, id, engine.harness.services)

  beforeEach(async () => {
    for (const model of [Item, Product, Entry] as unknown as ModelClass[]) await model.createTable()
  })

  test('inserts, and quarantines a row whose key is there already', async () => {
    await Product.insertAll(items([2], 'old'))
    await Item.insertAll(items(range(3), 'new'))

    const output = await run('run-1')

    assert.deepEqual([output.inserted, output.quarantined], [2, 1])
    assert.deepEqual(await products(), ['1 new', '2 old', '3 new'])
    assert.deepEqual(
      (await quarantined(engine.harness, 'run-1', 'items')).map(({ row }) => row.id),
      ['2'],
    )
  })

  test('refuses rows again where no key would tell that they are there', async () => {
    await Item.insertAll(items(range(3), 'new'))
    await runPipeline(keyless, 'run-1', engine.harness.services)

    await assert.rejects(
      planRun(keyless, 'run-2', engine.harness.services, { keys: ['1', '2'] }),
      /items appends to replace-target\.entry, which has no primary key .* would be there twice and nothing was done/,
    )

    assert.equal(Number(await Entry.count()), 3)
  })

  test('reads its window where events name keys and no key would tell that their rows are there', async () => {
    await Item.insertAll(items(range(3), 'new'))
    const { services } = engine.harness
    const asked = { ...runReference('run-1'), trigger: 'event:EntityUpdated' }
    const entities = { 'shop/items': { keys: ['2'], window: null } }

    const { plan: staged } = await plan(keyless, { run: asked, pipeline: 'items', mode: null, entities }, services)

    assert.equal((await readPlan(services, staged)).rows, 3)
  })

  test('a load delivered twice appends once', async () => {
    await Item.insertAll(items(range(3), 'new'))
    const { services } = engine.harness
    const planned = await planRun(appending, 'run-1', services)
    const input = await prepare(appending, 'run-1', planned, 0, services)
    await load(appending, input, services)

    await load(appending, input, services)

    assert.deepEqual((await commitRun(appending, 'run-1', planned, services)).inserted, 3)
    assert.equal((await products()).length, 3)
  })
})

test('a replace of the rows that have changed is refused when it is declared', () => {
  class Order extends source.table('order', { id: bigint().primaryKey(), changedAt: timestamp() }) {}

  assert.throws(
    () =>
      pipeline('items', {
        extract: changedSince(Order, { cursor: 'changedAt' }),
        transform: ({ id }) => ({ id, label: 'x' }),
        load: replace(Product),
      }),
    /would leave only the rows that have changed/,
  )
})
