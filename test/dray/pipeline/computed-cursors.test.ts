import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, integer, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { type Timestamp, timestampOf } from 'dray/internal/active-record/values.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import { examineSource } from 'dray/internal/pipeline/inspect/examine-source.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { onEachEngine } from './engines.ts'
import { runPipeline } from './harness.ts'

const source = database('computed-source')
const target = database('computed-target')

class SourceOrder extends source.table('orders', {
  id: bigint().primaryKey(),
  code: varchar(20).nullable(),
  label: text().nullable(),
  createdAt: timestamp().nullable(),
  updatedAt: timestamp().nullable().column('Updated "at"'),
  seconds: integer().nullable(),
}) {}
class TargetOrder extends target.table('orders', { id: bigint().primaryKey(), label: text().nullable() }) {}
class TargetCode extends target.table('codes', { code: varchar(20).primaryKey(), label: text().nullable() }) {}
const models = [SourceOrder, TargetOrder, TargetCode] as unknown as ModelClass[]
const { createdAt, updatedAt, seconds } = SourceOrder.fields

const orders = pipeline('orders', {
  extract: changedSince(SourceOrder, { cursor: ['updatedAt', 'createdAt'] }),
  transform: ({ id, label }) => ({ id, label }),
  load: upsert(TargetOrder, { by: 'id' }),
}) as unknown as Pipeline

type Cursor = Parameters<typeof changedSince<typeof SourceOrder, 'updatedAt' | 'createdAt'>>[1]
const read = (cursor: Cursor['cursor'], options: Omit<Cursor, 'cursor'> = {}) =>
  pipeline('orders', {
    extract: changedSince(SourceOrder, { cursor, ...options }),
    transform: ({ id, label }) => ({ id, label }),
    load: upsert(TargetOrder, { by: 'id' }),
  }) as unknown as Pipeline
const byCode = (cursor: Cursor['cursor'], options: { version?: 'label' } = {}) =>
  pipeline('codes', {
    extract: changedSince(SourceOrder, { cursor }),
    transform: ({ code, label }) => ({ code: code ?? '', label }),
    load: upsert(TargetCode, { by: 'code', ...options }),
  }) as unknown as Pipeline

const at = (time: string) => timestampOf(`2024-01-01 ${time}`)

test('refuses cursors that are no moments, and expressions that are not one of the model', () => {
  class Other extends source.source('other', { id: bigint().primaryKey(), at: timestamp() }) {}
  const shared = timestamp()
  class Twice extends source.source('twice', { id: bigint().primaryKey(), one: shared, two: shared }) {}
  const cases: readonly [() => unknown, RegExp][] = [
    [() => changedSince(SourceOrder, { cursor: [] as never }), /names no field/],
    [() => changedSince(SourceOrder, { cursor: ['createdAt', 'createdAt'] }), /names a field twice/],
    [
      () => changedSince(SourceOrder, { cursor: ['createdAt', 'label'] }),
      /"label" is neither a timestamp nor an integer field/,
    ],
    [() => changedSince(SourceOrder, { cursor: sql<Timestamp>`now()` }), /names at least one field of the model/],
    [() => changedSince(SourceOrder, { cursor: sql<Timestamp>`${createdAt}; drop table x` }), /without ";"/],
    [() => changedSince(SourceOrder, { cursor: sql<Timestamp>`max(${Other.fields.at})` }), /is none of orders/],
    [() => changedSince(Twice, { cursor: sql<Timestamp>`max(${shared})` }), /one and two of twice are declared by one/],
    [
      () => changedSince(SourceOrder, { cursor: sql<Timestamp>`coalesce(${createdAt}, now())` }),
      /another value .*\(now\)/,
    ],
    [() => changedSince(SourceOrder, { cursor: sql<Timestamp>`coalesce(${createdAt}, 'now')` }), /\('now'\)/],
    [() => changedSince(SourceOrder, { cursor: sql<Timestamp>`coalesce(${createdAt}, ${'now'})` }), /\(now\)/],
    [
      () => changedSince(SourceOrder, { cursor: sql<Timestamp>`coalesce(${createdAt}, CURRENT_TIMESTAMP)` }),
      /CURRENT_TIMESTAMP.*may be in no window/,
    ],
    [
      () => changedSince(SourceOrder, { cursor: sql<Timestamp>`coalesce(${createdAt}, ${undefined})` }),
      /is undefined, as a misspelt field of orders is/,
    ],
  ]

  for (const [made, message] of cases) assert.throws(made, { name: 'Configuration', message })
})

onEachEngine('computed cursors', [source, target], (engine) => {
  const { dialect } = engine
  const services = () => engine.harness.services
  const latest =
    dialect === 'sqlite'
      ? sql<Timestamp>`max(coalesce(${updatedAt}, ${createdAt}), ${createdAt})`
      : sql<Timestamp>`greatest(coalesce(${updatedAt}, ${createdAt}), ${createdAt})`
  const begin = async (rows: readonly object[] = []) => {
    for (const model of models) await model.createTable()
    await SourceOrder.insertAll(rows as never)
  }
  const run = (of: Pipeline, id: string) => runPipeline(of, id, services())
  const refused = async (of: Pipeline, id: string, message: RegExp) => {
    await assert.rejects(run(of, id), { message })
    await services().state.releaseLease(of.name, id)
  }
  const loaded = async () => (await TargetOrder.all().order('id').toArray()).map(({ id }) => Number(id))
  const notesOf = async (id: string) => (await services().state.run(id))?.steps[0]?.notes ?? []

  for (const [what, cursor] of [
    ['the first of two columns that is not NULL', ['updatedAt', 'createdAt']],
    ['an expression', latest],
  ] as const) {
    test(`reads the rows of a window by ${what}`, async () => {
      await begin([
        { id: 1n, createdAt: at('08:00:00'), updatedAt: null },
        { id: 2n, createdAt: at('08:00:00'), updatedAt: at('12:00:00') },
        { id: 3n, createdAt: at('10:00:00'), updatedAt: null },
        { id: 4n, createdAt: at('08:00:00'), updatedAt: at('09:59:59') },
      ])
      const of = read(cursor)
      await setLastRun(of, '2024-01-01 10:00:00.000000', services())

      await run(of, 'run-1')
      const first = await loaded()
      const { read: again } = await run(of, 'run-2')
      const { leftOut, counts } = await reconcile(of, services())

      assert.deepEqual(first, [2, 3])
      assert.equal(again, 0)
      assert.deepEqual([leftOut.pending, counts.missing], [0, 2])
    })
  }

  test('a field of an expression is that of the row in a subquery, too, whatever the columns there are called', async () => {
    await begin([
      { id: 1n, createdAt: at('08:00:00') },
      { id: 2n, createdAt: at('08:00:00') },
    ])
    const type = { sqlite: 'text', postgres: 'timestamptz', mysql: 'timestamp(6)' }[dialect]
    await source.query(`create table order_lines (id bigint primary key, order_id bigint, changed_at ${type})`, [])
    await source.query(
      `insert into order_lines values (1, 1, '2024-01-01 09:00:00.5'), (2, 2, '2024-01-01 09:00:00.5')`,
      [],
    )
    await source.query(`insert into order_lines values (7, 1, '2024-01-01 11:00:00.5')`, [])
    const { id } = SourceOrder.fields
    const of = read(sql<Timestamp>`(select max(l.changed_at) from order_lines l where l.order_id = ${id})`)
    await setLastRun(of, '2024-01-01 10:00:00.000000', services())

    await run(of, 'run-1')

    assert.deepEqual(await loaded(), [1])
  })

  test("what is no moment is refused, with the type or the engine's own words", async () => {
    await begin([{ id: 1n, createdAt: at('08:00:00'), seconds: 1 }])
    const types = {
      sqlite: /seconds > 0 of 1 row is not a time stamp/,
      mysql: /seconds > 0 of 1 row is not a time stamp/,
    }
    const ofType = { ...types, postgres: /the cursor seconds > 0 is of the type boolean, which is no moment/ }[dialect]

    await refused(read(sql<Timestamp>`${seconds} > 0`), 'run-1', ofType)
    await refused(read(sql<Timestamp>`max(${createdAt})`), 'run-2', /orders: the database does not take the cursor/)
  })

  test('rows without any of the columns are refused, or read in each run', async () => {
    await begin([
      { id: 1n, createdAt: null, updatedAt: null },
      { id: 2n, createdAt: at('08:00:00') },
    ])

    await refused(orders, 'run-1', /1 row of .*orders has no coalesce\(Updated "at", created_at\)/)
    await run(read(['updatedAt', 'createdAt'], { nulls: 'include' }), 'run-2')

    assert.deepEqual(await loaded(), [1, 2])
  })

  test('the newest of several rows of a key is told by the columns; an expression tells nothing of it', async () => {
    await begin([
      { id: 1n, code: 'a', label: 'newest', createdAt: at('12:00:00'), updatedAt: null },
      { id: 2n, code: 'a', label: 'older', createdAt: at('08:00:00'), updatedAt: at('10:00:00') },
    ])

    await run(byCode(['updatedAt', 'createdAt']), 'run-1')
    const byColumns = (await TargetCode.find('a')).label
    await services().state.setLastRun('codes', null, Date.now())
    await setLastRun(byCode(latest), null, services())

    assert.equal(byColumns, 'newest')
    await refused(byCode(latest), 'run-2', /nothing says which of them is the newest/)
    await run(byCode(latest, { version: 'label' }), 'run-3')
    assert.equal((await TargetCode.find('a')).label, 'older')
  })

  test('a window of moments that are cut ends where they are cut; days of an expression are refused', async () => {
    await begin([
      { id: 1n, createdAt: at('08:15:00'), seconds: 1_704_100_000 },
      { id: 2n, createdAt: at('09:20:00'), seconds: 1_704_100_001 },
    ])
    const hours = {
      sqlite: sql<Timestamp>`strftime('%Y-%m-%d %H:00:00', ${createdAt})`,
      postgres: sql<Timestamp>`date_trunc('hour', ${createdAt})`,
      mysql: sql<Timestamp>`timestamp(date_format(${createdAt}, '%Y-%m-%d %H:00:00'))`,
    }[dialect]
    const days = {
      sqlite: sql<Timestamp>`strftime('%Y-%m-01 00:00:00', ${createdAt})`,
      postgres: sql<Timestamp>`date_trunc('month', ${createdAt})`,
      mysql: sql<Timestamp>`timestamp(date_format(${createdAt}, '%Y-%m-01'))`,
    }[dialect]
    const ofNumber = {
      sqlite: sql<Timestamp>`datetime(${seconds}, 'unixepoch')`,
      postgres: sql<Timestamp>`to_timestamp(${seconds})`,
      mysql: sql<Timestamp>`from_unixtime(${seconds})`,
    }[dialect]

    const { last_run_after: hour } = await run(read(hours), 'run-1')
    await setLastRun(orders, null, services())
    const { last_run_after: second } = await run(read(ofNumber), 'run-2')

    assert.match(hour ?? '', /:00:00\.000000$/)
    assert.match(second ?? '', /\.000000$/)
    assert.deepEqual(await loaded(), [1, 2])
    await refused(read(days), 'run-3', /gives whole days and none of its columns/)
  })

  test('columns of several types are refused at Plan', { skip: dialect === 'sqlite' }, async () => {
    await begin()
    await source.query(
      dialect === 'postgres'
        ? 'alter table orders alter column created_at type timestamp'
        : 'alter table orders modify created_at date',
      [],
    )

    await refused(orders, 'run-1', /are of several types .*nothing was read/)
  })

  test('says that no index serves the cursor, with the statement that makes one', async () => {
    await begin()
    const many = {
      sqlite:
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10001) insert into orders (id, created_at) select i, '2024-01-01 00:00:00.5' from n",
      postgres: "insert into orders (id, created_at) select i, '2024-01-01' from generate_series(1, 10001) as i",
      mysql: `insert into orders (id, created_at) with recursive n as (select 1 as i union all select i + 1 from n where i < 10001) select i, '2024-01-01' from n`,
    }[dialect]
    if (dialect === 'mysql')
      await source
        .query('set max_recursive_iterations = 20000', [])
        .catch(() => source.query('set cte_max_recursion_depth = 20000', []))
    await source.query(many, [])

    await run(orders, 'run-1')
    const [note] = (await notesOf('run-1')).filter((one) => /no index/.test(one))
    const said = await examineSource(orders)
    const statement = /(create index .*?)(?:; on MariaDB.*)?$/.exec(note ?? '')?.[1]
    const isMade = await source.query(statement ?? '', []).then(
      () => true,
      () => false,
    )

    assert.match(note ?? '', /no index of computed-source\.orders is of coalesce\(Updated "at", created_at\)/)
    assert.ok(said.some((one) => one.said === note))
    if (dialect !== 'mysql') assert.ok(isMade)
    if (!isMade) return
    await run(orders, 'run-2')
    assert.deepEqual(
      (await notesOf('run-2')).filter((one) => /no index/.test(one)),
      [],
    )
  })
})
