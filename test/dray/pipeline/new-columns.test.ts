import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { planTable, UNANSWERED } from 'dray/internal/active-record/schema-plan.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { isOfNewColumns } from 'dray/internal/messages/column-notes.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, planRun, prepare, quarantined, runPipeline } from './harness.ts'

const source = database('columns-source')
const target = database('columns-target')

class SourceOrder extends source.source('orders', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  updatedAt: timestamp(),
}) {}
class TargetOrder extends target.table('order_fact', {
  orderId: bigint().primaryKey(),
  label: text().nullable(),
  updatedAt: timestamp(),
}) {}
class OrderVersion extends target.table('order_history', {
  orderId: bigint().primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
  label: varchar(100).nullable(),
}) {}

const orders = pipeline('orders', {
  extract: changedSince(SourceOrder, { cursor: 'updatedAt' }),
  transform: ({ id, ...order }) => ({ orderId: id, ...order }),
  load: upsert(TargetOrder, { by: 'orderId' }),
  columns: 'follow',
})

const whole = pipeline('orders', {
  extract: fullLoad(SourceOrder, { partitionRows: 2 }),
  transform: copyFields(SourceOrder, { orderId: 'id', label: 'label', updatedAt: 'updatedAt' }),
  load: upsert(TargetOrder, { by: 'orderId' }),
  columns: 'follow',
})

/** In no transaction of the test's. */
const outside = AsyncLocalStorage.snapshot()

const STAMP = '2024-01-01 00:00:00'

test('columns: follow is refused together with a contract that stops at each new column', () => {
  assert.throws(
    () =>
      pipeline('orders', {
        extract: fullLoad(SourceOrder),
        transform: ({ id, ...order }: SourceOrder) => ({ orderId: id, ...order }),
        load: upsert(TargetOrder, { by: 'orderId' }),
        columns: 'follow',
        contract: 'freeze',
      }),
    {
      name: 'Configuration',
      message:
        "pipeline('orders'): columns: 'follow' takes new columns over, and contract: 'freeze' stops the run at each of them, so no run with one would ever end; leave one of the two out",
    },
  )
})

onEachEngine('new columns of a source', [source, target], (engine) => {
  const q = (name: string) => (engine.dialect === 'mysql' ? `\`${name}\`` : `"${name}"`)

  beforeEach(async () => {
    for (const model of [SourceOrder, TargetOrder, OrderVersion] as unknown as ModelClass[]) await model.createTable()
    await put(1n, 'one')
    await put(2n, 'two')
    await put(3n, 'three')
  })

  async function put(id: bigint, label: string): Promise<void> {
    await source.query(
      `insert into orders (id, label, updated_at) values (${id}, '${label}', '${STAMP}${engine.dialect === 'postgres' ? '+00' : ''}')`,
    )
  }

  async function notesOf(run: string): Promise<readonly string[]> {
    return (await engine.harness.services.state.run(run))?.steps[0]?.notes ?? []
  }

  async function rows(columns: string, table = 'order_fact', key = 'order_id') {
    return (await target.query(`select ${columns} from ${table} order by ${key}`)).rows
  }

  test('a column that is added at the source is added to the target, with its values', async () => {
    const { services } = engine.harness
    await runPipeline(orders, 'run-1', services)
    await setLastRun(orders, '2024-01-15 00:00:00', services)
    await source.query('alter table orders add column colour varchar(20)')
    await source.query(`update orders set colour = 'red', updated_at = '2024-02-01 00:00:00' where id = 2`)

    await runPipeline(orders, 'run-2', services)

    assert.deepEqual(await rows('order_id, label, colour'), [
      ['1', 'one', null],
      ['2', 'two', 'red'],
      ['3', 'three', null],
    ])
    // Where the engine only knows that the table's definition has changed, all rows are read, and that is said first.
    const note = (await notesOf('run-2')).find((one) => one.includes('colour'))
    assert.match(
      note ?? '',
      /^the column colour of columns-source\.orders is new at the source, so columns-target\.order_fact has it now, too \(adds colour .*\); rows that were loaded before have NULL there until they change: `npx dray state reset orders --yes` has the next run load all of them/,
    )
  })

  test('a transform that only takes fields over takes the new one over as well, in all partitions', async () => {
    await source.query('alter table orders add column size integer')
    await source.query('update orders set size = id * 10')

    await runPipeline(whole, 'run-1', engine.harness.services)

    assert.deepEqual(await rows('order_id, size'), [
      ['1', '10'],
      ['2', '20'],
      ['3', '30'],
    ])
  })

  test('a transform that picks its fields has the new one taken over beside them', async () => {
    await source.query('alter table orders add column colour text')
    await source.query(`update orders set colour = 'blue'`)
    const picking = pipeline('orders', {
      extract: fullLoad(SourceOrder),
      transform: ({ id, label, updatedAt }: SourceOrder) => ({ orderId: id, label, updatedAt }),
      load: upsert(TargetOrder, { by: 'orderId' }),
      columns: 'follow',
    })

    await runPipeline(picking, 'run-1', engine.harness.services)

    assert.deepEqual(await rows('distinct colour', 'order_fact', 'colour'), [['blue']])
  })

  test('a column that is left out stays where it is', async () => {
    await source.query('alter table orders add column secret text')
    await source.query('alter table orders add column colour text')
    const choosing = pipeline('orders', { ...options(), columns: { follow: true, except: ['secret'] } })

    await runPipeline(choosing, 'run-1', engine.harness.services)

    const live = await target.withConnection((connection) => connection.describe('order_fact'))
    assert.deepEqual(
      live?.columns.map(({ name }) => name),
      ['order_id', 'label', 'updated_at', 'colour'],
    )
  })

  function options() {
    return {
      extract: fullLoad(SourceOrder),
      transform: ({ id, ...order }: SourceOrder) => ({ orderId: id, ...order }),
      load: upsert(TargetOrder, { by: 'orderId' }),
    }
  }

  test('values of many types come over as they are', async () => {
    const types = {
      postgres: [
        'numeric(30,10)',
        'timestamptz',
        'date',
        'boolean',
        'jsonb',
        'bytea',
        'double precision',
        'bigint',
        'int[]',
      ],
      mysql: [
        'decimal(30,10)',
        'datetime(6)',
        'date',
        'tinyint(1)',
        'json',
        'varbinary(20)',
        'double',
        'bigint',
        "enum('a','b')",
      ],
      sqlite: ['TEXT', 'TEXT', 'DATE', 'INTEGER', 'TEXT', 'BLOB', 'REAL', 'BIGINT', 'ANY'],
    }[engine.dialect]
    const values = [
      '12345678901234567890.0123456789',
      '2024-01-02 03:04:05.123456',
      '2024-01-02',
      '1',
      '{"a": 1}',
      engine.dialect === 'postgres' ? '\\x0102' : null,
      '1.5',
      '9007199254740993',
      engine.dialect === 'postgres' ? '{1,2}' : 'a',
    ]
    for (const [place, type] of types.entries()) await source.query(`alter table orders add column c${place} ${type}`)
    for (const [place, value] of values.entries()) {
      if (value !== null) await source.query(`update orders set c${place} = '${value}'`)
    }
    if (engine.dialect !== 'postgres') await source.query("update orders set c5 = X'0102'")

    await runPipeline(whole, 'run-1', engine.harness.services)

    const list = types.map((_, place) => `c${place}`).join(', ')
    const of = async (from: typeof source, table: string) => (await from.query(`select ${list} from ${table}`)).rows
    assert.deepEqual(await of(target, 'order_fact'), await of(source, 'orders'))
    assert.equal((await quarantined(engine.harness, 'run-1', 'orders')).length, 0)
    assert.deepEqual((await reconcile(whole, engine.harness.services, { deep: true })).counts, {
      missing: 0,
      extra: 0,
      different: 0,
    })
  })

  test('a column of the target with another type keeps its values, and the run names both', async () => {
    if (engine.dialect === 'sqlite') {
      await target.query('alter table order_fact add column colour blob')
    } else await target.query('alter table order_fact add column colour integer')
    await source.query('alter table orders add column colour text')
    await source.query(`update orders set colour = 'red'`)

    await runPipeline(whole, 'run-1', engine.harness.services)

    assert.deepEqual(await rows('distinct colour', 'order_fact', 'colour'), [[null]])
    const notes = await notesOf('run-1')
    assert.ok(
      notes.some((note) =>
        /the column colour of columns-source\.orders is .*, and colour of columns-target\.order_fact is .*, so nothing is copied into it/.test(
          note,
        ),
      ),
      notes.join('\n'),
    )
  })

  test('a column that the target has already, and no model, is filled', async () => {
    await target.query('alter table order_fact add column colour varchar(50)')
    await source.query('alter table orders add column colour varchar(20)')
    await source.query(`update orders set colour = 'red'`)

    await runPipeline(whole, 'run-1', engine.harness.services)

    assert.deepEqual(await rows('distinct colour', 'order_fact', 'colour'), [['red']])
  })

  test('a new column whose name belongs to a field of the target is left where it is', async () => {
    await source.query(`alter table orders add column ${q('order_id')} bigint`)

    await runPipeline(whole, 'run-1', engine.harness.services)

    assert.deepEqual(await rows('order_id'), [['1'], ['2'], ['3']])
    assert.match((await notesOf('run-1'))[0] ?? '', /its name there, order_id, belongs to the field of the model/)
  })

  test('a column by which the target numbers its rows, or that is its key, is not filled', async () => {
    const { services } = engine.harness
    await target.query('drop table order_fact')
    const stamp = { sqlite: 'text', postgres: 'timestamptz', mysql: 'timestamp(6)' }[engine.dialect]
    const number = {
      sqlite: 'integer primary key autoincrement',
      postgres: 'bigint generated always as identity',
      mysql: 'bigint not null auto_increment unique',
    }[engine.dialect]
    await target.query(
      `create table order_fact (row_no ${number}, order_id bigint not null unique, label text, updated_at ${stamp})`,
    )
    await source.query('alter table orders add column row_no bigint')
    await source.query('update orders set row_no = 70 where id = 1')

    await runPipeline(orders, 'run-1', services)

    assert.deepEqual(await rows('order_id, label, row_no'), [
      ['1', 'one', '1'],
      ['2', 'two', '2'],
      ['3', 'three', '3'],
    ])
    const why = engine.dialect === 'sqlite' ? 'row_no is of its primary key' : 'the database numbers its rows by row_no'
    assert.ok((await notesOf('run-1')).some((note) => note.includes(`is not taken over`) && note.includes(why)))
  })

  test('a column without a type and without a value becomes a text, which holds whatever comes', async (context) => {
    if (engine.dialect !== 'sqlite') return context.skip('each column of another engine has a type')
    const { services } = engine.harness
    await source.query('alter table orders add column remark')
    await runPipeline(whole, 'run-1', services)
    await source.query(`update orders set remark = 'to be called' where id = 1`)

    await runPipeline(whole, 'run-2', services)

    assert.deepEqual((await rows('remark'))[0], ['to be called'])
  })

  test('of two new columns with one name in the target the first is taken over, the other named', async () => {
    await source.query(`alter table orders add column ${q('unit price')} integer`)
    await source.query(`alter table orders add column ${q('unit_price')} integer`)
    await source.query(`update orders set ${q('unit price')} = 1, ${q('unit_price')} = 2`)

    await runPipeline(whole, 'run-1', engine.harness.services)

    assert.deepEqual(await rows('distinct unit_price', 'order_fact', 'unit_price'), [['1']])
    const notes = await notesOf('run-1')
    assert.ok(notes.some((note) => /its name there, unit_price, belongs to the column unit price/.test(note)))
  })

  test('a name that a record has itself is taken over all the same', async () => {
    await source.query(`alter table orders add column ${q('changed')} integer`)
    await source.query(`alter table orders add column ${q('then')} integer`)
    await source.query(`alter table orders add column ${q('Größe (cm)')} integer`)
    await source.query(`update orders set ${q('changed')} = 1, ${q('then')} = 2, ${q('Größe (cm)')} = 3`)

    await runPipeline(whole, 'run-1', engine.harness.services)

    assert.deepEqual(await rows(`distinct ${q('changed')}, ${q('then')}, ${q('größe_cm')}`, 'order_fact', '1'), [
      ['1', '2', '3'],
    ])
  })

  test('a computed column of the source is taken over as a plain one', async () => {
    const kind = engine.dialect === 'postgres' ? 'stored' : 'virtual'
    await source.query(`alter table orders add column twice bigint generated always as (id * 2) ${kind}`)

    await runPipeline(whole, 'run-1', engine.harness.services)

    assert.deepEqual(await rows('twice'), [['2'], ['4'], ['6']])
  })

  test('a column that is dropped at the source keeps its values; new rows have NULL there', async () => {
    const { services } = engine.harness
    await source.query('alter table orders add column colour text')
    await source.query(`update orders set colour = 'red'`)
    await runPipeline(whole, 'run-1', services)
    await source.query('alter table orders drop column colour')
    await put(4n, 'four')

    await runPipeline(whole, 'run-2', services)

    assert.deepEqual(await rows('colour'), [['red'], ['red'], ['red'], [null]])
  })

  test('a column that was taken over and is dropped at the source is named, until the target drops it', async () => {
    const { services } = engine.harness
    await target.query('alter table order_fact add column own integer')
    await source.query('alter table orders add column colour text')
    await source.query('alter table orders add column size integer')
    await runPipeline(whole, 'run-1', services)
    await source.query('alter table orders drop column colour')
    const left = pipeline('orders', { ...options(), columns: { follow: true, except: ['size'] } })

    for (const run of ['run-2', 'run-3']) await runPipeline(left, run, services)
    await target.query('alter table order_fact drop column colour')
    await runPipeline(left, 'run-4', services)

    const said = /not at the source any more/
    const named = await Promise.all(
      ['run-1', 'run-2', 'run-3', 'run-4'].map(async (run) => (await notesOf(run)).filter((note) => said.test(note))),
    )
    assert.deepEqual(
      named.map((notes) => notes.length),
      [0, 1, 1, 0],
    )
    assert.match(
      named[1]?.[0] ?? '',
      /^colour of columns-target\.order_fact, which this pipeline has added, is not at the source any more/,
    )
    assert.ok(isOfNewColumns(named[1]?.[0] ?? ''), 'it is in the message of new columns')
  })

  test('a column that has become wider at the source is widened in the target, where its rows stay as they are', async (context) => {
    if (engine.dialect === 'sqlite') return context.skip('SQLite holds values of any length')
    const { services } = engine.harness
    const widen = (to: string) =>
      source.query(
        `alter table orders ${engine.dialect === 'mysql' ? `modify colour ${to}` : `alter colour type ${to}`}`,
      )
    await source.query('alter table orders add column colour varchar(20)')
    await source.query(`update orders set colour = 'red'`)
    await runPipeline(whole, 'run-1', services)
    await widen('varchar(60)')
    await source.query(`update orders set colour = '${'x'.repeat(50)}' where id = 2`)
    assert.ok(
      (await preview(whole, { limit: 1, lastRun: null }, services)).notes.some((note) =>
        /the next run widens/.test(note),
      ),
    )

    await runPipeline(whole, 'run-2', services)

    assert.deepEqual(await rows('colour'), [['red'], ['x'.repeat(50)], ['red']])
    assert.match(
      (await notesOf('run-2')).find((note) => note.includes('wider')) ?? '',
      /^the column colour of columns-source\.orders has become wider at the source, and so it is in columns-target\.order_fact now \(widens colour from .*\(20\) to .*\(60\)\)/,
    )
    assert.equal((await notesOf('run-2')).filter(isOfNewColumns).filter((note) => note.includes('wider')).length, 1)
    await runPipeline(whole, 'run-3', services)
    assert.deepEqual(
      (await notesOf('run-3')).filter((note) => note.includes('wider')),
      [],
    )
  })

  test('a column is not widened where the database would write the whole table anew for it; the run names the statement', async (context) => {
    if (engine.dialect === 'sqlite') return context.skip('SQLite holds values of any length')
    const { services } = engine.harness
    await source.query('alter table orders add column size integer')
    await source.query('update orders set size = 1')
    await runPipeline(whole, 'run-1', services)
    await source.query(
      `alter table orders ${engine.dialect === 'mysql' ? 'modify size bigint' : 'alter size type bigint'}`,
    )
    await source.query('update orders set size = 5000000000 where id = 2')

    await runPipeline(
      pipeline('orders', { ...options(), columns: 'follow', quarantine: { rows: 1, share: 1 } }),
      'run-2',
      services,
    )

    assert.equal((await quarantined(engine.harness, 'run-2', 'orders')).length, 1)
    const note = (await notesOf('run-2')).find((one) => one.includes('wider')) ?? ''
    const [, statement = ''] = /which stays as it is, .* anew for it\. Run `(.*)` on columns-target/.exec(note) ?? []
    await target.query(statement)
    await runPipeline(whole, 'run-3', services)
    assert.deepEqual(await rows('size'), [['1'], ['5000000000'], ['1']])
  })

  test('a column that the target has with more room stays as it is', async () => {
    await target.query('alter table order_fact add column colour varchar(50)')
    await target.query('alter table order_fact add column size bigint')
    await source.query('alter table orders add column colour varchar(20)')
    await source.query('alter table orders add column size integer')

    await runPipeline(whole, 'run-1', engine.harness.services)

    assert.deepEqual(
      (await notesOf('run-1')).filter((note) => note.includes('wider')),
      [],
    )
    const live = await target.withConnection((connection) => connection.describe('order_fact'))
    const types = live?.columns.map(({ type }) => type).join(' ') ?? ''
    assert.match(types, /\(50\) bigint/)
  })

  test('two Plans that add the same column, and one that is delivered again, add it once', async () => {
    const { services } = engine.harness
    await source.query('alter table orders add column colour text')
    await source.query(`update orders set colour = 'red'`)
    const other = pipeline('others', { ...options(), columns: 'follow' })

    const [planned] = await Promise.all([planRun(whole, 'run-1', services), planRun(other, 'run-2', services)])
    const again = await planRun(whole, 'run-1', services)
    assert.equal(again.count, planned.count)
    for (const { partition } of again.partitions) {
      await load(whole, await prepare(whole, 'run-1', again, partition, services), services)
    }
    await commitRun(whole, 'run-1', again, services)

    assert.deepEqual(await rows('colour'), [['red'], ['red'], ['red']])
  })

  test('a column that comes while a run is on waits for the next one, in each partition', async () => {
    const { services } = engine.harness
    const planned = await planRun(whole, 'run-1', services)
    await load(whole, await prepare(whole, 'run-1', planned, 0, services), services)
    await source.query('alter table orders add column colour text')
    await load(whole, await prepare(whole, 'run-1', planned, 1, services), services)
    await commitRun(whole, 'run-1', planned, services)
    const live = await target.withConnection((connection) => connection.describe('order_fact'))
    assert.ok(!live?.columns.some(({ name }) => name === 'colour'))

    await source.query(`update orders set colour = 'red'`)
    await runPipeline(whole, 'run-2', services)

    assert.deepEqual(await rows('colour'), [['red'], ['red'], ['red']])
  })

  test('a resumed run loads by the columns of its plan', async () => {
    const { services } = engine.harness
    await source.query('alter table orders add column colour text')
    await source.query(`update orders set colour = 'red'`)
    const planned = await planRun(whole, 'run-1', services)
    await load(whole, await prepare(whole, 'run-1', planned, 0, services), services)
    await services.state.releaseLease('orders', 'run-1')
    await source.query('alter table orders add column size integer')

    await runPipeline(whole, 'run-2', services, { resume: 'run-1' })

    assert.deepEqual(await rows('colour'), [['red'], ['red'], ['red']])
    const live = await target.withConnection((connection) => connection.describe('order_fact'))
    assert.ok(!live?.columns.some(({ name }) => name === 'size'))
  })

  test('an append that was left half done comes to its end, though a column was dropped meanwhile', async () => {
    const { services } = engine.harness
    await source.query('alter table orders add column colour text')
    await source.query(`update orders set colour = 'red'`)
    const { transform } = options()
    const appended = pipeline('orders', {
      ...{ extract: fullLoad(SourceOrder, { partitionRows: 2 }), transform, load: append(TargetOrder) },
      columns: 'follow',
    })
    const planned = await planRun(appended, 'run-1', services)
    await load(appended, await prepare(appended, 'run-1', planned, 0, services), services)
    await services.state.releaseLease('orders', 'run-1')
    await source.query('alter table orders drop column colour')

    await runPipeline(appended, 'run-2', services)

    assert.deepEqual(await rows('colour'), [['red'], ['red'], [null]])
  })

  test('a column that is dropped while its run is on stops the run, and the next one does without it', async () => {
    const { services } = engine.harness
    await source.query('alter table orders add column colour text')
    const planned = await planRun(whole, 'run-1', services)
    await source.query('alter table orders drop column colour')

    await assert.rejects(prepare(whole, 'run-1', planned, 0, services), /colour/)
    await services.state.releaseLease('orders', 'run-1')
    await runPipeline(whole, 'run-2', services)

    assert.deepEqual(await rows('order_id, colour'), [
      ['1', null],
      ['2', null],
      ['3', null],
    ])
  })

  test('a column that is retyped while its run is on stops the run, whichever fields are read', async (context) => {
    if (engine.dialect === 'sqlite') return context.skip('SQLite retypes no column')
    const { services } = engine.harness
    await source.query('alter table orders add column colour varchar(20)')
    await source.query(`update orders set colour = '007'`)
    const chosen = pipeline('orders', {
      extract: changedSince(SourceOrder, { cursor: 'updatedAt', columns: ['label'], where: ['id < ?', 3n] }),
      transform: ({ id, label, updatedAt }) => ({ orderId: id, label, updatedAt }),
      load: upsert(TargetOrder, { by: 'orderId' }),
      columns: 'follow',
    })
    const planned = await planRun(chosen, 'run-1', services)

    await source.query(
      engine.dialect === 'mysql'
        ? 'alter table orders modify colour int'
        : 'alter table orders alter column colour type integer using cast(colour as integer)',
    )

    await assert.rejects(prepare(chosen, 'run-1', planned, 0, services), {
      name: 'Terminal',
      message: /has changed since this run was planned: the column colour was .*\(20\) and is int/,
    })
    assert.deepEqual(await rows('order_id'), [])
  })

  test('where the database would write the whole table anew, the run goes on without the column', async (context) => {
    if (engine.dialect !== 'mysql') return context.skip('other engines add each column at once')
    await target.query('create fulltext index labels on order_fact (label)')
    await source.query('alter table orders add column colour text')
    await source.query(`update orders set colour = 'red'`)

    await runPipeline(whole, 'run-1', engine.harness.services)

    assert.deepEqual(await rows('label'), [['one'], ['two'], ['three']])
    const [note = ''] = await notesOf('run-1')
    const [, statement = ''] = /could not be added to .* anew for it\. Run `(.*)` on columns-target/.exec(note) ?? []
    await target.query(statement)
    await runPipeline(whole, 'run-2', engine.harness.services)
    assert.deepEqual(await rows('colour'), [['red'], ['red'], ['red']])
  })

  test('where the user of the target may not alter the table, the run goes on without the column', async (context) => {
    if (engine.dialect !== 'postgres') return context.skip('tried on PostgreSQL, whose test server has other users')
    const variable = urlVariable(target.name)
    const owner = process.env[variable] as string
    const role = `loader_${randomUUID().slice(0, 8)}`
    await runPipeline(whole, 'run-1', engine.harness.services)
    await target.query(`create role ${role} login password 'x'`)
    await target.query(`grant all on all tables in schema public to ${role}; grant all on schema public to ${role}`)
    await source.query('alter table orders add column colour text')
    const url = new URL(owner)
    Object.assign(url, { username: role, password: 'x' })
    process.env[variable] = url.href
    await target.close()
    try {
      await runPipeline(whole, 'run-2', engine.harness.services)
      const notes = await notesOf('run-2')
      assert.ok(
        notes.some((note) =>
          /^the column colour .* could not be added .*must be owner of table order_fact.*Run `alter table "order_fact" add column "colour" text` on columns-target as a user who may/.test(
            note,
          ),
        ),
        notes.join('\n'),
      )
    } finally {
      process.env[variable] = owner
      await target.close()
      await target.query(`drop owned by ${role}; drop role ${role}`)
    }
  })

  test('of many new columns the run says once what becomes of them, and tries none for long', async () => {
    const { services } = engine.harness
    const names = Array.from({ length: 300 }, (_, place) => `note_${place}`)
    for (let place = 0; place < names.length; place += engine.dialect === 'sqlite' ? 1 : names.length) {
      const some = engine.dialect === 'sqlite' ? names.slice(place, place + 1) : names
      const added = some.map((name) => `add column ${name} int`)
      await source.query(`alter table orders ${added.join(', ')}`)
    }
    await source.query(`update orders set note_0 = 1 where id = 1`)
    if (engine.dialect === 'mysql') {
      // A row has no more room than this in a page.
      const long = Array.from({ length: 40 }, (_, place) => `add column own_${place} binary(180)`)
      await target.query(`alter table order_fact ${long.join(', ')}`)
    }

    await runPipeline(whole, 'run-1', services)

    const notes = (await notesOf('run-1')).filter((note) => /note_/.test(note))
    assert.ok(notes.length <= 2, `${notes.length} notes`)
    for (const name of names) assert.ok(notes.some((note) => note.includes(name)))
    const live = await target.withConnection((connection) => connection.describe('order_fact'))
    const has = names.filter((name) => live?.columns.some((column) => column.name === name))
    const refused = notes.find((note) => /could not be added/.test(note)) ?? ''
    assert.equal(has.length + (refused.match(/note_\d+(?=,|$)|(?<=^the column )note_\d+/g) ?? []).length, 300)
    assert.equal(has.length < 300, engine.dialect === 'mysql')
    assert.deepEqual((await rows('note_0'))[0], ['1'])

    if (engine.dialect !== 'mysql') return
    // Those that have no room are not tried on the table, which a reader keeps from being altered.
    await target.transaction(async () => {
      await target.query('select * from order_fact limit 1')
      const planned = await outside(() => planRun(whole, 'run-2', services))
      assert.equal(planned.count, 2)
    })
    const again = (await notesOf('run-2')).filter((note) => /could not be added/.test(note))
    assert.equal(again.length, 1)
    assert.match(again[0] ?? '', /row size/i)
  })

  test('a row that was quarantined with a new column is replayed with it', async () => {
    const { services } = engine.harness
    await source.query('alter table orders add column colour text')
    await source.query(`update orders set colour = 'red'`)
    let isStrict = true
    const strict = pipeline('orders', {
      extract: fullLoad(SourceOrder),
      transform: ({ id, ...order }: SourceOrder, { reject }) =>
        isStrict && id === 2n ? reject('id', 'not_yet') : { orderId: id, ...order },
      load: upsert(TargetOrder, { by: 'orderId' }),
      columns: 'follow',
    })
    await runPipeline(strict, 'run-1', services)
    assert.equal((await quarantined(engine.harness, 'run-1', 'orders'))[0]?.row.colour, 'red')
    isStrict = false

    await runPipeline(strict, 'run-2', services, { replay: {} })

    assert.deepEqual(await rows('order_id, colour'), [
      ['1', 'red'],
      ['2', 'red'],
      ['3', 'red'],
    ])
  })

  test('appends, replacements and histories follow as well', async () => {
    const { services } = engine.harness
    const { transform } = options()
    const history_ = pipeline('versions', {
      extract: fullLoad(SourceOrder),
      transform: ({ id, label }: SourceOrder) => ({ orderId: id, label }),
      load: history(OrderVersion, { by: 'orderId', validFrom: 'validFrom', validTo: 'validTo' }),
      columns: 'follow',
    })
    await runPipeline(history_, 'run-0', services)
    await source.query('alter table orders add column colour text')
    await source.query(`update orders set colour = 'red' where id = 1`)

    await runPipeline(history_, 'run-1', services)
    assert.deepEqual(await rows('order_id, colour', 'order_history where valid_to is null'), [
      ['1', 'red'],
      ['2', null],
      ['3', null],
    ])
    await runPipeline(
      pipeline('appended', { extract: fullLoad(SourceOrder), transform, load: append(TargetOrder), columns: 'follow' }),
      'run-2',
      services,
    )
    assert.deepEqual(await rows('colour'), [['red'], [null], [null]])
    await source.query(`update orders set colour = 'blue'`)
    await target.query("delete from dray_fence where pipeline = 'appended'")
    await runPipeline(
      pipeline('replaced', {
        extract: fullLoad(SourceOrder),
        transform,
        load: replace(TargetOrder),
        columns: 'follow',
      }),
      'run-3',
      services,
    )
    assert.deepEqual(await rows('colour'), [['blue'], ['blue'], ['blue']])
  })

  test('dray schema plan drops none of the columns that were taken over', async () => {
    await source.query('alter table orders add column colour text')
    await runPipeline(whole, 'run-1', engine.harness.services)

    const planned = (keepsUnknown: boolean) =>
      target.withConnection((connection, adapter) =>
        planTable(TargetOrder, connection, adapter, { ...UNANSWERED, keepsUnknown }),
      )

    assert.deepEqual(
      (await planned(false)).statements.map(({ what }) => what),
      ['drops colour'],
    )
    const { statements, notes } = await planned(true)
    assert.deepEqual(statements, [])
    assert.match(notes.join(), /^colour stays, though the model does not know it: a pipeline of the table follows/)
  })

  test('preview shows new columns where the target is not there yet', async () => {
    await target.query('drop table order_fact')
    await source.query('alter table orders add column colour text')

    const { rows: shown } = await preview(whole, { limit: 1, lastRun: null }, engine.harness.services)

    assert.deepEqual(Object.keys(shown[0]?.target ?? {}), ['order_id', 'label', 'updated_at', 'colour'])
  })

  test('preview shows what the next run would take over; reconcile compares what the target has', async () => {
    const { services } = engine.harness
    await runPipeline(whole, 'run-1', services)
    await source.query('alter table orders add column colour varchar(20)')
    await source.query(`update orders set colour = 'red'`)

    const { rows: shown, notes } = await preview(whole, { limit: 1, lastRun: null }, services)
    assert.equal(shown[0]?.target?.colour, 'red')
    assert.ok(notes.some((note) => /the next run adds it to columns-target\.order_fact/.test(note)))
    assert.equal((await reconcile(whole, services)).counts.different, 0)

    await runPipeline(whole, 'run-2', services)
    await target.query(`update order_fact set colour = 'blue' where order_id = 2`)
    const { counts, differences } = await reconcile(whole, services)

    assert.equal(counts.different, 1)
    assert.deepEqual(differences[0]?.columns, ['colour'])
  })
})
