import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, decimal, integer, json, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { loadKeys } from 'dray/internal/messages/run-mode.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import { examineSource } from 'dray/internal/pipeline/inspect/examine-source.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { onEachEngine } from './engines.ts'
import { planRun, quarantined, runPipeline } from './harness.ts'

const source = database('query-source')
const target = database('query-target')

class SourceCustomer extends source.source('customers', { id: bigint().primaryKey(), country: text() }) {}
class SourceOrder extends source.source('orders', {
  id: bigint().primaryKey(),
  customerId: bigint(),
  amount: decimal(12, 2),
}) {}

const ORDER = {
  id: bigint().primaryKey(),
  amount: decimal(12, 2),
  country: text(),
  changedAt: timestamp(),
}

const OPEN = sql`
  select o.${SourceOrder.fields.id}, o.amount, c.country, case when c.updated_at > o.updated_at then c.updated_at else o.updated_at end as changed_at
  from ${SourceOrder} o join ${SourceCustomer} c on c.id = o.customer_id where o.status <> ${'closed'}`

class OpenOrder extends source.sourceQuery('open_orders', OPEN, ORDER) {}
class TargetOrder extends target.table('open_order', ORDER) {}

const whole = pipeline('open-orders', {
  extract: fullLoad(OpenOrder),
  transform: ({ ...order }) => order,
  load: upsert(TargetOrder, { by: 'id' }),
  deletes: 'hard',
})

const inParts = pipeline('open-orders', {
  extract: fullLoad(OpenOrder, { partitionRows: 2 }),
  transform: ({ ...order }: OpenOrder) => order,
  load: upsert(TargetOrder, { by: 'id' }),
  deletes: 'hard',
})

const changed = pipeline('open-orders', {
  extract: changedSince(OpenOrder, { cursor: 'changedAt' }),
  transform: ({ ...order }: OpenOrder) => order,
  load: upsert(TargetOrder, { by: 'id' }),
})

const crm = source
const TargetOpenOrder = TargetOrder

/** As docs/pipelines.md shows it. */
function declared() {
  class OpenOrder extends crm.sourceQuery(
    'open_orders',
    sql`select o.id, o.amount, c.country, greatest(o.updated_at, c.updated_at) as changed_at
      from ${SourceOrder} o join ${SourceCustomer} c on c.id = o.customer_id where o.status <> ${'closed'}`,
    { id: bigint().primaryKey(), amount: decimal(12, 2), country: text(), changedAt: timestamp() },
  ) {}

  const openOrders = pipeline('open-orders', {
    extract: changedSince(OpenOrder, { cursor: 'changedAt' }),
    transform: ({ ...order }) => order,
    load: upsert(TargetOpenOrder, { by: 'id' }),
  })
  return { OpenOrder, openOrders }
}

onEachEngine('a source from a query', [source, target], (engine) => {
  const stamp = (day: string) => `'${day} 00:00:00${engine.dialect === 'postgres' ? '+00' : ''}'`

  beforeEach(async () => {
    await (TargetOrder as unknown as ModelClass).createTable()
    const moment = { postgres: 'timestamptz', mysql: 'datetime(6)', sqlite: 'text' }[engine.dialect]
    await source.query(
      `create table customers (id bigint not null primary key, country varchar(40) not null, updated_at ${moment} not null)`,
    )
    await source.query(
      `create table orders (id bigint not null primary key, customer_id bigint not null, amount decimal(12,2) not null, status varchar(20) not null, updated_at ${moment} not null)`,
    )
    for (const id of [1, 2]) {
      await source.query(`insert into customers values (${id}, 'country ${id}', ${stamp('2024-01-01')})`)
    }
    for (const id of [1, 2, 3, 4, 5]) await put(id)
    await source.query(`update orders set status = 'closed' where id = 5`)
  })

  async function put(id: number): Promise<void> {
    await source.query(
      `insert into orders values (${id}, ${1 + (id % 2)}, ${id}.50, 'open', ${stamp(`2024-02-0${id}`)})`,
    )
  }

  const SELECT = 'select id, amount, country, changed_at from'
  const read = async (of: typeof source, from: string) =>
    (await of.query(`${SELECT} ${from} order by 1`)).rows.map((row) =>
      row.map((text) => text?.replace(/\.0+$|\+00$/, '')),
    )
  const landed = () => read(target, 'open_order')
  const due = () =>
    read(
      source,
      `(select o.id, o.amount, c.country, case when c.updated_at > o.updated_at then c.updated_at else o.updated_at end as changed_at
        from orders o join customers c on c.id = o.customer_id where o.status <> 'closed') as due`,
    )

  async function refused(work: Promise<unknown>): Promise<string> {
    const error = await work.then(
      () => new Error('it was not refused'),
      (thrown: Error) => thrown,
    )
    assert.equal(error.name, 'Terminal', error.message)
    return error.message
  }

  /** A pipeline of another query, into the same table. */
  function of(query: ReturnType<typeof sql>, fields: object = ORDER): Pipeline<never, never> {
    const model = source.sourceQuery('odd', query, fields as typeof ORDER)
    return pipeline('odd', {
      extract: fullLoad(class extends model {}),
      transform: (row: OpenOrder) => row as never,
      load: upsert(TargetOrder, { by: 'id' }),
    }) as never
  }

  for (const [what, one] of [
    ['at once', whole],
    ['in partitions', inParts],
  ] as const) {
    test(`is loaded, updated and deleted as a table is, ${what}`, async () => {
      const { services } = engine.harness
      await runPipeline(one, 'run-1', services)
      assert.deepEqual(await landed(), await due())
      assert.equal((await landed()).length, 4)
      await source.query(`update customers set country = 'elsewhere' where id = 2`)
      await source.query('update orders set amount = 7.25 where id = 2')
      await source.query(`update orders set status = 'closed' where id = 4`)
      await put(6)

      await runPipeline(one, 'run-2', services)

      assert.deepEqual(await landed(), await due())
      assert.deepEqual(
        (await landed()).map(([id]) => id),
        ['1', '2', '3', '6'],
      )
    })
  }

  test('is read by a window of its cursor', async () => {
    const { services } = engine.harness
    await runPipeline(changed, 'run-1', services)
    assert.deepEqual(await landed(), await due())
    const now = { postgres: 'now()', mysql: 'utc_timestamp(6)', sqlite: "strftime('%Y-%m-%d %H:%M:%f', 'now')" }
    await source.query(`update customers set country = 'elsewhere', updated_at = ${now[engine.dialect]} where id = 2`)
    await put(6)
    await source.query('update orders set amount = 9.99 where id = 2')
    const { inserted, updated } = await waited(() => runPipeline(changed, 'run-2', services))

    assert.deepEqual([inserted, updated], [0, 2])
    assert.deepEqual(
      (await landed()).map(([id, , country]) => [id, country]),
      [
        ['1', 'elsewhere'],
        ['2', 'country 1'],
        ['3', 'elsewhere'],
        ['4', 'country 1'],
      ],
    )
  })

  /** Stamps of now are settled two seconds later, and those of whole seconds when theirs has ended. */
  async function waited<T>(work: () => Promise<T>): Promise<T> {
    await new Promise((resolve) => setTimeout(resolve, 3_500))
    return work()
  }

  test('as the page declares it is loaded, and asked', {
    skip: engine.dialect === 'sqlite' && 'it has no greatest()',
  }, async () => {
    const { OpenOrder: Declared, openOrders } = declared()

    await runPipeline(openOrders, 'run-1', engine.harness.services)

    assert.deepEqual(await landed(), await due())
    assert.equal(await Declared.count(), 4)
  })

  test('that is another query than at last_run is read whole once, and says why', async () => {
    const { services } = engine.harness
    await runPipeline(changed, 'run-1', services)
    class More extends source.sourceQuery(
      'open_orders',
      sql`select o.id, o.amount, c.country, o.updated_at as changed_at from ${SourceOrder} o join ${SourceCustomer} c on c.id = o.customer_id`,
      ORDER,
    ) {}
    const more = pipeline('open-orders', {
      extract: changedSince(More, { cursor: 'changedAt' }),
      transform: ({ ...order }: More) => order,
      load: upsert(TargetOrder, { by: 'id' }),
    })

    const { inserted } = await runPipeline(more, 'run-2', services)

    assert.equal(inserted, 1)
    const notes = (await services.state.run('run-2'))?.steps[0]?.notes?.join('\n') ?? ''
    assert.match(notes, /the query query-source\.open_orders, or a table that it reads, is not what it was at last_run/)
    assert.equal((await runPipeline(more, 'run-3', services)).read, 0)
  })

  test('in one database with its target is the same query in the next run', async () => {
    const { services } = engine.harness
    class OrderHere extends source.table('open_order_here', ORDER) {}
    await (OrderHere as unknown as ModelClass).createTable()
    const here = pipeline('open-orders', {
      extract: changedSince(OpenOrder, { cursor: 'changedAt' }),
      transform: ({ ...order }: OpenOrder) => order,
      load: upsert(OrderHere, { by: 'id' }),
    })
    const first = await runPipeline(here, 'run-1', services)

    const second = await runPipeline(here, 'run-2', services)

    assert.deepEqual([first.read, second.read], [4, 0])
  })

  test('is previewed, reconciled, and read by single keys', async () => {
    const { services } = engine.harness
    const { rows } = await preview(inParts, { limit: 2, lastRun: null }, services)
    assert.equal(rows.length, 2)
    await runPipeline(inParts, 'run-1', services)
    await target.query(`update open_order set country = 'wrong' where id = 2`)
    await target.query('delete from open_order where id = 1')
    const { differences } = await reconcile(inParts, services)
    assert.deepEqual(
      differences.map(({ kind, key }) => [kind, key.id]),
      [
        ['missing', '1'],
        ['different', '2'],
      ],
    )

    await runPipeline(inParts, 'run-2', services, loadKeys(['1', '2', '5']))

    assert.deepEqual(await landed(), await due())
  })

  test('is read by a backfill of a range of its cursor, which leaves last_run alone', async () => {
    const { services } = engine.harness
    await runPipeline(changed, 'run-1', services)
    const lastRun = async () => (await services.state.pipeline('open-orders'))?.lastRun
    const before = await lastRun()
    await target.query("update open_order set country = 'wrong'")

    const { read: rows } = await runPipeline(changed, 'run-2', services, {
      backfill: { from: '2024-02-02T00:00:00Z', to: '2024-02-04T00:00:00Z', chunk: '1d' },
    })

    assert.equal(rows, 2)
    assert.deepEqual(
      (await landed()).map(([id, , country]) => [id, country]),
      [
        ['1', 'wrong'],
        ['2', 'country 1'],
        ['3', 'country 2'],
        ['4', 'wrong'],
      ],
    )
    assert.equal(await lastRun(), before)
  })

  test('gives the row of now where a row of the quarantine is tried again, and none that the query has no more', async () => {
    const { services } = engine.harness
    const refusing = (ids: readonly bigint[]) =>
      pipeline('open-orders', {
        extract: changedSince(OpenOrder, { cursor: 'changedAt' }),
        transform: ({ ...order }: OpenOrder) => {
          if (ids.includes(order.id)) throw new Error('it is not wanted')
          return order
        },
        load: upsert(TargetOrder, { by: 'id' }),
      })
    const first = await runPipeline(refusing([2n, 3n, 4n]), 'run-1', services)
    await source.query("update customers set country = 'elsewhere' where id = 1")
    await source.query("update orders set status = 'closed' where id = 3")

    const second = await runPipeline(refusing([4n]), 'run-2', services, { replay: {} })

    assert.deepEqual([first.quarantined, second.read, second.quarantined], [3, 2, 1])
    assert.deepEqual(
      (await landed()).map(([id, , country]) => [id, country]),
      [
        ['1', 'country 2'],
        ['2', 'elsewhere'],
      ],
    )
    const reasons: string[] = []
    for await (const { row, record } of quarantinedRows(services.staging, 'open-orders')) {
      if (row.id === '3') reasons.push(record?.reason ?? '')
    }
    assert.match(reasons.join(), /no row of this key any more/)
  })

  test('of which a part is chosen by where, which is read by its cursor and appended', async () => {
    const { services } = engine.harness
    const some = pipeline('some-orders', {
      extract: changedSince(OpenOrder, { cursor: 'changedAt', where: { country: 'country 1' } }),
      transform: ({ ...order }: OpenOrder) => order,
      load: append(TargetOrder),
    })

    await runPipeline(some, 'run-1', services)

    assert.deepEqual(
      (await landed()).map(([id]) => id),
      ['2', '4'],
    )
  })

  test('whose join multiplies rows is refused before anything is read, with the keys', async () => {
    await source.query('create table notes (order_id bigint not null, said varchar(20) not null)')
    await source.query(`insert into notes values (2, 'one'), (2, 'other'), (3, 'same'), (3, 'same')`)
    const multiplied = of(
      sql`select o.id, o.amount, n.said as country, o.updated_at as changed_at from ${SourceOrder} o left join notes n on n.order_id = o.id`,
      { ...ORDER, country: text().nullable() },
    )

    const message = await refused(runPipeline(multiplied, 'run-1', engine.harness.services))

    assert.match(message, /2 keys \(id\) of query-source\.odd have several rows/)
    assert.match(message, /Rows of \(2\) differ/)
    assert.match(message, /nothing was read/)
    const said = (await examineSource(multiplied)).map(({ verdict, said: text }) => `${verdict} ${text}`).join('\n')
    assert.match(said, /broken .*Rows of \(2\) differ/)
    assert.deepEqual(await landed(), [])
  })

  test('whose join multiplies rows under a cursor says in each run that one row takes the place of others', async () => {
    const { services } = engine.harness
    await source.query('create table notes (order_id bigint not null, said varchar(20) not null, noted_at varchar(40))')
    const moment = {
      postgres: 'n.noted_at::timestamptz',
      mysql: 'cast(n.noted_at as datetime(6))',
      sqlite: 'n.noted_at',
    }
    const code = [
      `select o.id, o.amount, n.said as country, ${moment[engine.dialect]} as changed_at from orders o join notes n on n.order_id = o.id`,
    ]
    class Noted extends source.sourceQuery('noted', { code, values: [] }, ORDER) {}
    const noted = pipeline('noted', {
      extract: changedSince(Noted, { cursor: 'changedAt' }),
      transform: ({ ...row }: Noted) => row,
      load: upsert(TargetOrder, { by: 'id' }),
    })
    const now = new Date(Date.now() - 60_000).toISOString().replace('T', ' ').slice(0, 19)
    const stamped = (text: string) => (engine.dialect === 'postgres' ? `${text}+00` : text)
    await source.query(`insert into notes values (2, 'one', '${stamped('2024-01-01 00:00:00')}')`)
    await runPipeline(noted, 'run-1', services)
    await services.state.setLastRun('noted', '2024-06-01 00:00:00', Date.now())
    await source.query(`insert into notes values (2, 'other', '${stamped(now)}')`)

    await runPipeline(noted, 'run-2', services)

    const notes = (await services.state.run('run-2'))?.steps[0]?.notes?.join('\n') ?? ''
    assert.match(notes, /1 key \(id\) of this window has several rows in the query query-source\.noted/)
    assert.deepEqual(
      (await landed()).map(([id, , country]) => [id, country]),
      [['2', 'other']],
    )
  })

  test('whose keys are NULL has those rows quarantined, and says so', async () => {
    const nulls = of(
      sql`select case when o.id = 3 then null else o.id end as id, o.amount, 'x' as country, o.updated_at as changed_at from ${SourceOrder} o`,
    )
    const { harness } = engine
    await runPipeline(
      { ...nulls, quarantine: { ...(nulls as Pipeline).quarantine, rows: 10, share: 1 } } as never,
      'r',
      harness.services,
    )

    assert.deepEqual(
      (await landed()).map(([id]) => id),
      ['1', '2', '4', '5'],
    )
    assert.equal((await quarantined(harness, 'r', 'odd')).length, 1)
  })

  test('is held against its fields before anything is read', async () => {
    const cases: [ReturnType<typeof sql>, RegExp][] = [
      [
        sql`select o.id, o.amount, o.updated_at as changed_at from ${SourceOrder} o`,
        /query-source\.odd has no column country \(it has id, amount, changed_at\).*a column of a query is what it selects/,
      ],
      [
        sql`select o.id, o.amount, c.country, o.updated_at as changed_at, c.country from ${SourceOrder} o join ${SourceCustomer} c on c.id = o.customer_id`,
        /the query query-source\.odd .*column (name )?'?country'?/i,
      ],
      [sql`select * from no_such_table`, /the query query-source\.odd cannot be read: .*no_such_table/],
      [sql`select id frm orders where`, /the query query-source\.odd cannot be read: /],
    ]
    for (const [query, message] of cases) {
      assert.match(await refused(planRun(of(query), 'run-1', engine.harness.services)), message)
      const said = (await examineSource(of(query))).map((one) => `${one.verdict} ${one.said}`).join('\n')
      assert.match(said, message)
    }
  })

  test('whose column is of another type than its field is refused by name', {
    skip: engine.dialect === 'sqlite' && 'a column holds any type',
  }, async () => {
    const other = of(
      sql`select o.id, 'x' as amount, 'y' as country, o.updated_at as changed_at from ${SourceOrder} o`,
      {
        ...ORDER,
        amount: bigint(),
      },
    )

    assert.match(
      await refused(planRun(other, 'run-1', engine.harness.services)),
      /query-source\.odd\.amount is (text|varchar\(1\)), the model says bigint; declare the field amount as text\(\)/,
    )
  })

  test('says the columns that no field takes', async () => {
    const { services } = engine.harness
    const more = of(
      sql`select o.id, o.amount, 'y' as country, o.updated_at as changed_at, o.status from ${SourceOrder} o`,
    )

    await runPipeline(more, 'run-1', services)

    const notes = (await services.state.run('run-1'))?.steps[0]?.notes ?? []
    assert.deepEqual(
      notes.filter((note) => note.includes('status')),
      ['query-source.odd has a column that the model does not know, left alone: status'],
    )
  })

  test('that calls a function which writes is refused by the engine, and nothing is written', {
    skip: engine.dialect === 'sqlite' && 'it has none',
  }, async () => {
    await source.query('create table written (id bigint)')
    if (engine.dialect === 'mysql') await source.query('set global log_bin_trust_function_creators = 1')
    await source.query(
      engine.dialect === 'postgres'
        ? `create function writes() returns int language plpgsql as $$ begin insert into written values (1); return 1; end $$`
        : 'create function writes() returns int modifies sql data begin insert into written values (1); return 1; end',
    )
    const writing = sql`select o.id, o.amount, 'x' as country, o.updated_at as changed_at from ${SourceOrder} o where writes() = 1`
    class Writing extends source.sourceQuery('writing', writing, ORDER) {}

    await refused(runPipeline(of(writing), 'run-1', engine.harness.services))
    await refused(Writing.count())
    await refused(Writing.findAll())
    await refused(Array.fromAsync(Writing.all()))

    assert.deepEqual((await source.query('select count(*) from written')).rows, [['0']])
    await source.query('drop function writes')
  })

  test('is asked as any model is', async () => {
    assert.equal(await OpenOrder.count(), 4)
    assert.equal((await OpenOrder.find(3n)).country, 'country 2')
    assert.equal((await OpenOrder.findByCountry('country 1'))?.id, 2n)
    assert.deepEqual(
      (await OpenOrder.where({ country: 'country 2' }).order({ id: 'desc' }).limit(1).toArray()).map(({ id }) => id),
      [3n],
    )
    const ids: bigint[] = []
    for await (const { id } of OpenOrder.where(['amount > ?', '1.60'])) ids.push(id)
    assert.deepEqual(ids.sort(), [2n, 3n, 4n])
    await assert.rejects(Array.fromAsync(OpenOrder.all().inBatches()), { name: 'Configuration', message: /is a query/ })
    await assert.rejects((OpenOrder as unknown as ModelClass).createTable(), { message: /is a query/ })
  })

  test('of a WITH, a UNION, an aggregate or a window function gives the rows that the database gives', async () => {
    const { services } = engine.harness
    const cast = engine.dialect === 'mysql' ? 'char' : 'text'
    const queries: Record<string, ReturnType<typeof sql>> = {
      with: sql`with big as (select * from ${SourceOrder} where amount > ${'2.00'}) select b.id, b.amount, 'x' as country, b.updated_at as changed_at from big b`,
      union: sql`select id, amount, 'orders' as country, updated_at as changed_at from orders where id < 3 union all select 100 + id, 0.25, country, updated_at from customers`,
      aggregate: sql`select customer_id as id, sum(amount) as amount, ${'all'} as country, max(updated_at) as changed_at from ${SourceOrder} group by customer_id`,
      window: {
        code: [
          `select id, amount, cast(row_number() over (partition by customer_id order by id) as ${cast}) as country, updated_at as changed_at from orders`,
        ],
        values: [],
      },
      nothing: sql`select id, amount, 'x' as country, updated_at as changed_at from ${SourceOrder} where 1 = 0`,
    }
    for (const [name, query] of Object.entries(queries)) {
      await target.query('delete from open_order')
      await runPipeline(of(query), name, services)
      const text = query.code.reduce((all, piece, at) => {
        const value = query.values[at - 1]
        return `${all}${typeof value === 'string' ? `'${value}'` : (value as typeof SourceOrder).definition.table}${piece}`
      })
      assert.deepEqual(await landed(), await read(source, `(${text}) as due`), name)
    }
  })

  test('gives documents, truths, capitals and spaces', async () => {
    const { services } = engine.harness
    const odd = {
      key: integer().primaryKey().column('The Key'),
      isLarge: boolean().column('isLarge'),
      document: json().nullable().column('a"b`c'),
    }
    class TargetOdd extends target.table('odd_rows', odd) {}
    await (TargetOdd as unknown as ModelClass).createTable()
    const quote = (name: string) =>
      engine.dialect === 'mysql' ? `\`${name.replaceAll('`', '``')}\`` : `"${name.replaceAll('"', '""')}"`
    const document = { postgres: `'{"a": 1}'::jsonb`, mysql: `json_object('a', 1)`, sqlite: `json_object('a', 1)` }
    const code = [
      `select cast(id as ${engine.dialect === 'mysql' ? 'signed' : 'integer'}) as ${quote('The Key')}, amount > 2 as ${quote('isLarge')}, ${document[engine.dialect]} as ${quote('a"b`c')} from orders`,
    ]
    class Odd extends source.sourceQuery('Odd Rows', { code, values: [] }, odd) {}
    const rows = pipeline('odd-rows', {
      extract: fullLoad(Odd, { partitionRows: 2 }),
      transform: ({ ...row }: Odd) => row,
      load: upsert(TargetOdd, { by: 'key' }),
    })

    await runPipeline(rows, 'run-1', services)

    const found = await TargetOdd.all().order('key').toArray()
    assert.deepEqual(
      found.map(({ key, isLarge, document }) => [key, isLarge, JSON.parse(document?.toString() ?? '').a]),
      [1, 2, 3, 4, 5].map((key) => [key, key > 1, 1]),
    )
  })
})

test('A query that no run could read is refused where it is declared', () => {
  const other = database('query-other')
  class Elsewhere extends other.source('elsewhere', { id: bigint().primaryKey() }) {}
  const declare = (query: ReturnType<typeof sql>) => () => source.sourceQuery('bad', query, ORDER)
  assert.throws(declare(sql`delete from orders`), /sourceQuery\('bad'\): "delete from orders" is to be one SELECT/)
  assert.throws(declare(sql`select 1; drop table orders`), /one SELECT, without ";"/)
  assert.throws(declare(sql`select 1 # it's`), /or a comment/)
  assert.throws(declare(sql`select 1 where name like 'a\\' -- it's`), /or a comment/)
  assert.throws(declare(sql`select $$ -- $$ from orders -- it's`), /or a comment/)
  assert.throws(declare(sql`select /*! 1 */ from orders`), /or a comment/)
  assert.throws(declare(sql`select 5--3 from orders`), /or a comment/)
  assert.throws(declare(sql`select 1 /* ${1} */ from orders`), /a value stands in a comment or in quotes/)
  assert.throws(declare(sql`select 1 where name = '${'Ann'}'`), /a value stands in a comment or in quotes/)
  assert.throws(
    declare(sql`select id from ${Elsewhere}`),
    /it reads query-other\.elsewhere, and is asked in query-source/,
  )
  assert.throws(declare(sql`select id from ${OpenOrder} o`), /it names open_orders, which is a query and no table/)
  assert.throws(declare(sql`select ${undefined} from orders`), /a value of it is undefined/)
  assert.throws(
    declare(sql`select ${Elsewhere.fields.id} from ${SourceOrder}`),
    /a field of a model that it does not name/,
  )
  assert.doesNotThrow(declare(sql`select document #>> '{a,"b;--"}', other #- '{c}' from orders`))
})

test('A query that goes by chance is read by no pipeline, one that asks the clock by no window', () => {
  const chance = source.sourceQuery('chance', sql`select id, amount from ${SourceOrder} where random() < 0.5`, ORDER)
  const clock = source.sourceQuery('clock', sql`select id from orders where updated_at > now()`, ORDER)
  const named = source.sourceQuery('named', sql`select id from orders where updated_at > ${'today'}`, ORDER)
  const counted = source.sourceQuery('counted', sql`select id from orders`, ORDER)

  assert.throws(() => fullLoad(chance), /goes by chance \(random\)/)
  assert.throws(() => changedSince(chance, { cursor: 'changedAt' }), /goes by chance \(random\)/)
  assert.doesNotThrow(() => fullLoad(clock))
  assert.throws(() => changedSince(clock, { cursor: 'changedAt' }), /asks the clock \(now\)/)
  assert.throws(() => changedSince(named, { cursor: 'changedAt' }), /asks the clock \('today'\)/)
  assert.throws(() => changedSince(counted, { cursor: 'id' }), /does not say which counter.*overlap: 1000/)
  assert.doesNotThrow(() => changedSince(counted, { cursor: 'id', overlap: 10 }))
})
