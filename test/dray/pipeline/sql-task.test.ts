import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  binary,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  text,
  timestamp,
  uuid,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { dateOf, decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import { between, noRows, rowCount } from 'dray/internal/pipeline/declare/checks.ts'
import { landed } from 'dray/internal/pipeline/declare/landed-rows.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import { type Task, task } from 'dray/internal/pipeline/declare/task.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { onEachEngine } from './engines.ts'
import { runReference } from './harness.ts'

const warehouse = database('sql-task')

class Sale extends warehouse.table('sale', {
  id: bigint().primaryKey(),
  customerId: bigint(),
  cents: bigint(),
  note: text().nullable(),
  loadedAt: timestamp().landed(),
}) {}
class Total extends warehouse.table('customer_total', {
  customerId: bigint().primaryKey(),
  sales: integer(),
  cents: bigint().nullable(),
  landedAt: timestamp().landed(),
}) {}
class Label extends warehouse.table('sale_label', {
  label: varchar(5).primaryKey(),
  amount: decimal(6, 2),
  deletedAt: timestamp().nullable(),
  updatedAt: timestamp().touch(),
}) {}

const raw = (text: string) => ({ code: [text], values: [] })
const kindFields = {
  id: uuid().primaryKey(),
  isGood: boolean(),
  day: date().nullable(),
  at: timestamp().nullable(),
  share: double().nullable(),
  document: json().nullable(),
  bytes: binary().nullable(),
  long: text(),
  big: bigint(),
  amount: decimal(30, 10),
}
class Kind extends warehouse.table('kind', kindFields) {}
class Numbered extends warehouse.table('numbered', {
  id: bigint().generated().primaryKey(),
  name: text(),
  version: integer().lockVersion(),
}) {}
class Mart extends warehouse.table('kind_mart', kindFields) {}

const totals = sql`select ${Sale.fields.customerId} as customer_id, count(*) as sales, sum(${Sale.fields.cents}) as cents
  from ${Sale} group by ${Sale.fields.customerId}`
const merged = task('totals', totals, { into: Total, by: 'customerId' })
const hard = task('totals', totals, { into: Total, by: 'customerId', deletes: { hard: true, most: 1 } })
const guarded = task('totals', totals, { into: Total, by: 'customerId', deletes: 'hard' })
const replaced = task('totals', totals, { into: Total, most: 1 })
const changed = task(
  'totals',
  sql`select ${Sale.fields.customerId} as customer_id, count(*) as sales, sum(${Sale.fields.cents}) as cents from ${Sale}
    where customer_id in (select customer_id from ${Sale} where ${landed(Sale)}) group by customer_id`,
  { into: Total, by: 'customerId' },
)
const labels = (select: ReturnType<typeof sql>) =>
  task('labels', select, { into: Label, by: 'label', deletes: { soft: 'deletedAt', most: 1 } })

onEachEngine('a task that is SQL', [warehouse], (engine) => {
  const run = (of: Task, id: string) => runTask(of, { run: runReference(id), task: of.name }, engine.harness.services)
  const stepOf = (id: string, name = 'totals') => engine.harness.services.state.stepRecord(id, name)
  const stateOf = (name = 'totals') => engine.harness.services.state.pipeline(name)
  const rows = async () =>
    (await Total.all().order('customerId').toArray()).map(({ customerId, sales, cents }) => [
      Number(customerId),
      sales,
      cents === null ? null : Number(cents),
    ])
  const sell = (...sales: readonly [id: number, customer: number, cents: number][]) =>
    Sale.upsertAll(
      sales.map(([id, customerId, cents]) => ({
        id: BigInt(id),
        customerId: BigInt(customerId),
        cents: BigInt(cents),
      })),
    )

  beforeEach(async () => {
    await (Sale as unknown as ModelClass).createTable()
  })

  test('makes its table and merges by key: each count by what was done', async () => {
    await sell([1, 1, 10], [2, 1, 5], [3, 2, 7])
    const first = await run(merged, 'run-1')
    const stamps = (await Total.all().order('customerId').toArray()).map(({ landedAt }) => landedAt)
    await sell([4, 2, 1], [5, 3, 2])

    const second = await run(merged, 'run-2')

    assert.deepEqual(first, { read: 2, inserted: 2, updated: 0, unchanged: 0, deleted: 0 })
    assert.deepEqual(second, { read: 3, inserted: 1, updated: 1, unchanged: 1, deleted: 0 })
    assert.deepEqual(await rows(), [
      [1, 2, 15],
      [2, 2, 8],
      [3, 1, 2],
    ])
    const [still, moved] = (await Total.all().order('customerId').toArray()).map(({ landedAt }) => landedAt)
    assert.equal(still, stamps[0])
    assert.notEqual(moved, stamps[1])
    const step = await stepOf('run-2')
    assert.deepEqual(
      [step?.status, step?.read, step?.inserted, step?.updated, step?.unchanged],
      ['success', 3, 1, 1, 1],
    )
  })

  test('rows that the SELECT has no more stay, are deleted, or are marked', async () => {
    await sell([1, 1, 10], [2, 2, 7])
    await run(merged, 'run-1')
    await Sale.deleteAll({ id: 2n })

    await run(merged, 'run-2')
    assert.equal((await rows()).length, 2)
    const result = await run(hard, 'run-3')

    assert.deepEqual(result, { read: 1, inserted: 0, updated: 0, unchanged: 1, deleted: 1 })
    assert.deepEqual(await rows(), [[1, 1, 10]])
    assert.equal((await stepOf('run-3'))?.gone, 1)
  })

  test('a soft delete marks a row once, and a row that comes back is not marked any more', async () => {
    const of = (...names: string[]) =>
      labels(
        sql`select label, amount from (${raw(names.map((name) => `select '${name}' as label, '1.50' as amount`).join(' union all '))}) x`,
      )
    await run(of('a', 'b'), 'run-1')
    const deleted = await run(of('a'), 'run-2')
    const again = await run(of('a'), 'run-3')
    const back = await run(of('a', 'b'), 'run-4')

    assert.deepEqual([deleted.deleted, again.deleted, back.updated, back.unchanged], [1, 0, 1, 1])
    assert.deepEqual(
      (await Label.all().order('label').toArray()).map(({ label, deletedAt }) => [label, deletedAt]),
      [
        ['a', null],
        ['b', null],
      ],
    )
  })

  test('more rows than it may lose are not deleted, and nothing is written', async () => {
    await sell(...Array.from({ length: 30 }, (_, n) => [n, n, n] as [number, number, number]))
    await run(guarded, 'run-1')
    await Sale.deleteAll({ id: Array.from({ length: 11 }, (_, n) => BigInt(n)) })
    await sell([30, 30, 30])

    await assert.rejects(run(guarded, 'run-2'), {
      name: 'DataQuality',
      code: 'deletes_threshold',
      message: /11 of the 31 rows/,
    })

    assert.equal((await rows()).length, 30)
    await Sale.deleteAll()
    await assert.rejects(run(hard, 'run-3'), { code: 'source_empty', message: /no row at all.*allowEmpty: true/ })
  })

  test('without a key the SELECT replaces the whole table', async () => {
    await sell([1, 1, 10], [2, 2, 7])
    await run(replaced, 'run-1')
    await Sale.deleteAll({ id: 1n })
    await sell([3, 3, 9])

    assert.deepEqual(await run(replaced, 'run-2'), { read: 2, inserted: 2, updated: 0, unchanged: 0, deleted: 0 })

    assert.deepEqual(await rows(), [
      [2, 1, 7],
      [3, 1, 9],
    ])
    await Sale.deleteAll()
    await assert.rejects(run(replaced, 'run-3'), { code: 'source_empty' })
    assert.equal((await rows()).length, 2)
  })

  test('a second delivery finds the work done and says the same', async () => {
    await sell([1, 1, 10])
    const first = await run(changed, 'run-1')
    await sell([2, 2, 5])

    assert.deepEqual(await run(changed, 'run-1'), first)

    assert.deepEqual(await rows(), [[1, 1, 10]])
  })

  test('a reply that was lost between the warehouse and the state: the next delivery moves last_run and writes nothing', async () => {
    await sell([1, 1, 10])
    const { services } = engine.harness
    const state = new Proxy(services.state, {
      get: (target, name) =>
        name === 'commit' ? () => Promise.reject(new Error('lost')) : Reflect.get(target, name, target).bind(target),
    }) as StateStore
    await assert.rejects(
      runTask(changed, { run: runReference('run-1'), task: 'totals' }, { ...services, state }),
      /lost/,
    )
    await sell([2, 2, 5])

    const again = await run(changed, 'run-1')

    assert.deepEqual(again, { read: 1, inserted: 1, updated: 0, unchanged: 0, deleted: 0 })
    assert.deepEqual(await rows(), [[1, 1, 10]])
    await run(changed, 'run-2')
    assert.equal((await rows()).length, 2)
  })

  test('landed(): each run reads what has landed since the last one', async () => {
    await sell([1, 1, 10], [2, 2, 7], [3, 3, 1])
    const first = await run(changed, 'run-1')
    const after = (await stateOf())?.lastRun ?? ''
    await sell([4, 2, 3], [3, 3, 1])

    const second = await run(changed, 'run-2')

    assert.equal(first.read, 3)
    assert.deepEqual(second, { read: 1, inserted: 0, updated: 1, unchanged: 0, deleted: 0 })
    assert.deepEqual(await rows(), [
      [1, 1, 10],
      [2, 2, 10],
      [3, 1, 1],
    ])
    const step = await stepOf('run-2')
    assert.equal(step?.lastRunBefore, after)
    assert.ok((step?.lastRunAfter ?? '') > after)
  })

  test('a row that a transaction has stamped before the run, and commits behind it, is read by the next one', async (t) => {
    if (engine.dialect === 'sqlite') return t.skip('it has one writer at a time')
    await sell([1, 1, 10])
    const begun = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    const other = warehouse.transaction(async () => {
      await sell([2, 2, 5])
      begun.resolve()
      await go.promise
    })
    await begun.promise
    await run(changed, 'run-1')
    go.resolve()
    await other

    await run(changed, 'run-2')

    assert.deepEqual(await rows(), [
      [1, 1, 10],
      [2, 1, 5],
    ])
  })

  test('a table that was lost is made anew from all rows', async () => {
    await sell([1, 1, 10])
    await run(changed, 'run-1')
    await warehouse.query('drop table customer_total')
    await sell([2, 2, 5])

    await run(changed, 'run-2')

    assert.equal((await rows()).length, 2)
    assert.match((await stepOf('run-2'))?.notes?.join() ?? '', /was missing and was made anew, so all rows are read/)
  })

  test('a warehouse that was restored is noticed by its mark', async () => {
    await sell([1, 1, 10])
    await run(changed, 'run-1')
    await warehouse.query('delete from customer_total')
    await warehouse.query('delete from dray_fence')

    await run(changed, 'run-2')

    assert.deepEqual(await rows(), [[1, 1, 10]])
    assert.match((await stepOf('run-2'))?.notes?.join() ?? '', /has no mark of it/)
  })

  test('two rows of one key, and a NULL key, are refused with the first keys, and nothing is written', async () => {
    await sell([1, 1, 10], [2, 1, 5], [3, 2, 7])
    const each = (column: string) =>
      task('totals', sql`select ${raw(column)} as customer_id, 1 as sales, cents from ${Sale}`, {
        into: Total,
        by: 'customerId',
      })

    await assert.rejects(run(each('customer_id'), 'run-1'), {
      name: 'DataQuality',
      code: 'repeated_key',
      message: /totals: sql-task\.customer_total does not take .*several rows have one key \(customer_id\).*: 1$/,
    })
    await assert.rejects(run(each('nullif(customer_id, 2)'), 'run-2'), {
      code: 'keyless',
      message: /1 row of the SELECT has NULL in the key \(customer_id\)/,
    })

    assert.equal(await Total.count(), 0)
  })

  test('a value that the table cannot hold as it is fails the whole, with its column', async () => {
    const of = (label: string, amount: string) => labels(sql`select ${raw(label)} as label, ${raw(amount)} as amount`)
    await run(of("'a'", "'1.50'"), 'run-0')
    const refused = (of: Task, message: RegExp) =>
      assert.rejects(run(of, `run-${Math.random()}`), { name: 'DataQuality', message })

    await refused(of("'too long'", "'1.50'"), /label/)
    await refused(of("'b'", "'1.505'"), /amount/)
    await refused(of("'b'", "'12345.50'"), /12345|amount|overflow/)
    await refused(of("'b'", 'null'), /amount/)

    assert.deepEqual(
      (await Label.all().toArray()).map(({ label, deletedAt }) => [label, deletedAt]),
      [['a', null]],
    )
  })

  test('checks are asked before anything is kept', async () => {
    await sell([1, 1, 10])
    await run(merged, 'run-1')
    await sell([2, 2, 900])
    const checked = task('totals', totals, {
      into: Total,
      by: 'customerId',
      checks: [
        between('cents', 0, 100),
        rowCount({ min: 1 }),
        noRows('no strangers', sql`select 1 from ${Total} where ${Total.fields.customerId} > 9`, { severity: 'warn' }),
      ],
    })

    await assert.rejects(run(checked, 'run-2'), {
      name: 'DataQuality',
      message: /1 of its 3 checks does not hold: between\(cents\).*Nothing was written.*dray resume run-2/,
    })

    assert.deepEqual(await rows(), [[1, 1, 10]])
    assert.deepEqual(
      (await stepOf('run-2'))?.checks?.map(({ status }) => status),
      ['failed', 'passed', 'passed'],
    )
    await Sale.deleteAll({ id: 2n })
    await run(checked, 'run-3')
  })

  test('columns that are not those of the table are said before anything is made', async () => {
    const refused = (select: ReturnType<typeof sql>, message: RegExp) =>
      assert.rejects(run(task('totals', select, { into: Total, by: 'customerId' }), 'run-1'), {
        name: 'Configuration',
        message,
      })

    await refused(
      sql`select customer_id, count(*) as amount from ${Sale} group by 1`,
      /no column sales.*no column cents.*no field for its column amount/,
    )
    await refused(
      sql`select customer_id, 1 as sales, cents, loaded_at as landed_at from ${Sale}`,
      /landed_at is filled by the task itself/,
    )
    await refused(
      sql`select customer_idd as customer_id, 1 as sales, cents from ${Sale}`,
      /does not take the SELECT.*customer_idd/,
    )
    if (engine.dialect !== 'sqlite')
      await refused(
        sql`select customer_id, 'x' as sales, cents from ${Sale}`,
        /sales is .*, and the field holds integer: write cast\(… as int/,
      )

    assert.equal(await warehouse.withConnection((connection) => connection.describe('customer_total')), null)
  })

  test('values of every kind go from one table to another as they are, and then are unchanged', async () => {
    for (const model of [Kind] as unknown as ModelClass[]) await model.createTable()
    await Kind.insertAll([
      {
        id: '6f1c1c0e-8a0c-4c58-9d52-2f6f0a1b2c3d',
        isGood: true,
        day: dateOf('2024-02-29'),
        at: timestampOf('2024-01-01 10:00:00.123456'),
        share: 0.1,
        document: '{"a": [1, "ä"]}' as never,
        bytes: Buffer.from([0, 1, 255]),
        long: "tab\t'quote' \\ 漢字\n",
        big: 9_223_372_036_854_775_807n,
        amount: decimalOf('12345678901234567890.1234567891'),
      },
      {
        id: '7f1c1c0e-8a0c-4c58-9d52-2f6f0a1b2c3d',
        isGood: false,
        long: '',
        big: -1n,
        amount: decimalOf('-0.5'),
      },
    ])
    const copy = task('copy', sql`select * from ${Kind}`, { into: Mart, by: 'id', deletes: 'hard' })

    const first = await run(copy, 'run-1')
    const second = await run(copy, 'run-2')

    assert.deepEqual([first.inserted, second.unchanged], [2, 2])
    const read = async (model: typeof Kind | typeof Mart) =>
      (await (model as typeof Kind).all().order('id').toArray()).map((row) => ({ ...row }))
    assert.deepEqual(await read(Mart), await read(Kind))
  })

  test('a table that the database numbers is replaced; a SELECT may read the table that it writes', async () => {
    await sell([1, 1, 10], [2, 2, 20])
    if (engine.dialect === 'sqlite')
      await warehouse.query(
        'create table numbered (id integer primary key, name text not null, version integer not null default 0)',
      )
    const names = task('numbered', sql`select ${raw("'x'")} as name from ${Sale}`, { into: Numbered, most: 1 })
    assert.deepEqual([(await run(names, 'run-1')).inserted, (await run(names, 'run-2')).inserted], [2, 2])
    assert.equal(await Numbered.count(), 2)

    await run(merged, 'run-3')
    const raised = task(
      'raised',
      sql`with known as (select * from ${Total} t) select k.customer_id, k.sales + 1 as sales, k.cents from known k`,
      {
        into: Total,
        by: 'customerId',
      },
    )
    await run(raised, 'run-4')

    assert.deepEqual(await rows(), [
      [1, 2, 10],
      [2, 2, 20],
    ])
  })

  test('keys that the table takes for one are one', async (t) => {
    if (engine.dialect !== 'mysql') return t.skip('its texts compare by their bytes here')
    const named = (...names: string[]) =>
      labels(raw(names.map((name) => `select '${name}' as label, 1.5 as amount`).join(' union all ')))
    await Label.createTable()
    await warehouse.query('alter table sale_label modify label varchar(5) collate utf8mb4_general_ci not null')
    await run(named('ann'), 'run-1')
    await assert.rejects(run(named('Ann', 'ann'), 'run-2'), { code: 'repeated_key' })

    const respelled = await run(named('Ann'), 'run-3')

    assert.deepEqual([respelled.updated, respelled.deleted], [1, 0])
    assert.deepEqual(
      (await Label.all().toArray()).map(({ label }) => label),
      ['Ann'],
    )
  })

  test('an overtaken run writes nothing', async () => {
    await sell([1, 1, 10])
    const { state } = engine.harness.services
    await run(merged, 'run-1')
    await warehouse.query("update dray_fence set epoch = epoch + 5 where pipeline = 'totals'")
    await state.acquireLease('totals', 'run-9', Date.now(), Date.now() + 60_000)

    await assert.rejects(run(merged, 'run-2'), { name: 'Transient', message: /run run-9 is at this task/ })

    await state.releaseLease('totals', 'run-9')
    assert.deepEqual((await run(merged, 'run-2')).read, 1)
  })
})

test('tasks that would lose rows, or could never run, are refused when they are declared', () => {
  const window = sql`select customer_id, 1 as sales, cents from ${Sale} where ${landed(Sale)}`
  assert.throws(() => task('totals', window, { into: Total }), /task\('totals'\): landed\(\) reads some of the rows/)
  assert.throws(
    () => task('totals', window, { into: Total, by: 'customerId', deletes: 'hard' }),
    /it would take away the rest/,
  )
  assert.throws(() => task('totals', totals, { into: Total, deletes: 'hard' }), /deletes goes with by/)
  assert.throws(() => task('totals', sql`delete from ${Sale}`, { into: Total }), /is to be one SELECT/)
  assert.throws(() => task('totals', sql`select 1; select 2`, { into: Total }), /is to be one SELECT/)
  assert.throws(() => landed(Label), /has no field that says when a row was written/)
  assert.throws(
    () =>
      noRows('x', window) && task('t', async () => {}, { checks: [{ model: Sale, checks: [noRows('x', window)] }] }),
    /landed\(\) is for the SELECT of a task/,
  )
  assert.throws(
    () => task('numbered', sql`select 1 as name`, { into: Numbered, by: 'id' }),
    /by: id is filled by the database/,
  )
  // @ts-expect-error: Total has no such field.
  assert.throws(() => task('totals', totals, { into: Total, by: 'customerid' }), /has no field "customerid"/)
  const { databases, reads, writes } = merged
  assert.deepEqual(
    [databases, reads.map(({ definition }) => definition.table), writes],
    [['sql-task'], ['sale'], [Total]],
  )
})
