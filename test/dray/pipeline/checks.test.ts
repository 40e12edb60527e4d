import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, decimal, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import { TransientError } from 'dray/internal/errors.ts'
import type { CheckResult } from 'dray/internal/messages/check-result.ts'
import { checkWholeTable } from 'dray/internal/pipeline/checks/check-pipeline.ts'
import {
  accepted,
  between,
  type Check,
  freshness,
  noRows,
  notNull,
  references,
  rowCount,
  unique,
} from 'dray/internal/pipeline/declare/checks.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, planRun, prepare, runPipeline } from './harness.ts'

const source = database('checks-source')
const target = database('checks-target')

class SourceOrder extends source.table('orders', {
  id: bigint().primaryKey(),
  customer: bigint().nullable(),
  code: varchar(20).nullable(),
  status: varchar(20).nullable(),
  amount: decimal(10, 2).nullable(),
  changedAt: timestamp(),
}) {}
class Customer extends target.table('customer', { id: bigint().primaryKey(), name: varchar(20) }) {}
class Order extends target.table('order_fact', {
  orderId: bigint().primaryKey(),
  customerId: bigint().nullable(),
  code: varchar(20).nullable(),
  status: varchar(20).nullable(),
  amount: decimal(10, 2).nullable(),
}) {}
const models = [SourceOrder, Customer, Order] as unknown as ModelClass[]

type Named = Check<'orderId' | 'customerId' | 'code' | 'status' | 'amount'>
const transform = ({ id, customer, code, status, amount }: SourceOrder) => ({
  orderId: id,
  customerId: customer,
  code,
  status,
  amount,
})
const changed = changedSince(SourceOrder, { cursor: 'changedAt' })
const upserting = (...checks: Named[]) =>
  pipeline('orders', {
    extract: changed,
    transform,
    load: upsert(Order, { by: 'orderId' }),
    checks,
  }) as unknown as Pipeline
const replacing = (...checks: Named[]) =>
  pipeline('orders', {
    extract: fullLoad(SourceOrder),
    transform,
    load: replace(Order, { most: 1 }),
    checks,
  }) as unknown as Pipeline
const appending = (...checks: Named[]) =>
  pipeline('orders', { extract: changed, transform, load: append(Order), checks }) as unknown as Pipeline

const OLD = timestampOf('2024-01-01 00:00:00')
const LATER = timestampOf('2024-02-01 00:00:00')
const order = (
  id: number,
  given: Partial<{ customer: bigint | null; code: string | null; status: string | null; amount: string }> = {},
) => {
  const { amount = '10.00', ...rest } = given
  return {
    id: BigInt(id),
    customer: 1n as bigint | null,
    code: `c${id}` as string | null,
    status: 'paid' as string | null,
    ...rest,
    amount: decimalOf(amount),
    changedAt: OLD,
  }
}

/** Each check, rows that it holds of, and one row that it does not hold of, with the key by which that is named. */
const cases: readonly {
  readonly check: (options: { severity?: 'warn' }) => Named
  readonly fault: ReturnType<typeof order>
  readonly keys: readonly Readonly<Record<string, string>>[]
  readonly failing?: number
  readonly said: RegExp
}[] = [
  {
    check: (options) => unique('code', options),
    fault: order(9, { code: 'c1' }),
    keys: [{ code: 'c1' }],
    failing: 2,
    said: /2 rows with a code that another row has/,
  },
  {
    check: (options) => unique(['code', 'status'], options),
    fault: order(9, { code: 'c1' }),
    keys: [{ code: 'c1', status: 'paid' }],
    failing: 2,
    said: /2 rows with a code, status that another row has/,
  },
  {
    check: (options) => notNull(['code', 'status'], options),
    fault: order(9, { status: null }),
    keys: [{ order_id: '9' }],
    said: /1 row with NULL in code or status/,
  },
  {
    check: (options) => references('customerId', Customer, options),
    fault: order(9, { customer: 77n }),
    keys: [{ order_id: '9' }],
    said: /a customerId that no row of checks-target\.customer has/,
  },
  {
    check: (options) => between('amount', 0, 1000, options),
    fault: order(9, { amount: '1000.01' }),
    keys: [{ order_id: '9' }],
    said: /a amount that is not between 0 and 1000/,
  },
  {
    check: (options) => between('amount', '9.5', '99.5', options),
    fault: order(9, { amount: '-11.00' }),
    keys: [{ order_id: '9' }],
    said: /not between/,
  },
  {
    check: (options) => accepted('status', ['paid', 'open'], options),
    fault: order(9, { status: 'lost' }),
    keys: [{ order_id: '9' }],
    said: /another status than the accepted ones/,
  },
  {
    check: (options) =>
      noRows('no lost order', sql`select order_id from ${Order} where ${Order.fields.status} = ${'lost'}`, options),
    fault: order(9, { status: 'lost' }),
    keys: [{ order_id: '9' }],
    said: /1 row with a fault/,
  },
]

onEachEngine('a check', [source, target], (engine) => {
  const services = () => engine.harness.services
  const run = (of: Pipeline, id: string) => runPipeline(of, id, services())
  const resultsOf = async (id: string): Promise<readonly CheckResult[]> =>
    (await services().state.stepRecord(id, 'orders'))?.checks ?? []
  const lastRun = async () => (await services().state.pipeline('orders'))?.lastRun ?? null
  const orders = async () => (await Order.all().order('orderId').toArray()).map(({ orderId }) => Number(orderId))

  /** The next run reads what is stamped later. */
  const rewind = () => setLastRun(upserting(), '2024-01-15 00:00:00', services())

  beforeEach(async () => {
    for (const model of models) await model.createTable()
    await Customer.insertAll([{ id: 1n, name: 'one' }])
    await SourceOrder.insertAll([order(1), order(2, { customer: null, code: null, status: null }), order(3)])
  })

  for (const [place, { check, fault, keys, failing = 1, said }] of cases.entries()) {
    const { name } = check({})
    test(`${name} (${place}) holds of the table, and of the rows of a run`, async () => {
      await SourceOrder.deleteAll({ id: 2n })
      await run(upserting(check({})), 'run-1')
      await rewind()
      await SourceOrder.insertAll([{ ...order(4), changedAt: LATER }])

      await run(upserting(check({})), 'run-2')

      const [first, second] = [await resultsOf('run-1'), await resultsOf('run-2')]
      assert.deepEqual(
        [...first, ...second].map((one) => [one.name, one.status, one.failing]),
        [name, name].map((one) => [one, 'passed', 0]),
      )
      assert.deepEqual([first[0]?.scope, second[0]?.scope], ['table', name.startsWith('no lost') ? 'table' : 'run'])
    })

    test(`${name} (${place}) that does not hold names the rows and leaves last_run`, async () => {
      if (name.startsWith('notNull')) await SourceOrder.deleteAll({ id: 2n })
      await run(upserting(), 'run-1')
      await rewind()
      const before = await lastRun()
      await SourceOrder.insertAll([{ ...fault, changedAt: LATER }])

      await assert.rejects(run(upserting(check({})), 'run-2'), {
        name: 'DataQuality',
        message: said,
      })

      assert.equal(await lastRun(), before)
      const [result] = await resultsOf('run-2')
      assert.deepEqual([result?.status, result?.failing, result?.keys], ['failed', failing, keys])
      assert.equal((await orders()).includes(9), true)
    })

    test(`${name} (${place}) that only warns lets last_run move`, async () => {
      if (name.startsWith('notNull')) await SourceOrder.deleteAll({ id: 2n })
      await SourceOrder.insertAll([fault])

      await run(upserting(check({ severity: 'warn' })), 'run-1')

      const [result] = await resultsOf('run-1')
      assert.deepEqual([result?.status, result?.scope, result?.keys], ['warned', 'table', keys])
      assert.notEqual(await lastRun(), null)
    })
  }

  test('rowCount holds between min and max', async () => {
    await run(upserting(rowCount({ min: 3, max: 3 })), 'run-1')

    await assert.rejects(run(upserting(rowCount({ min: 4 })), 'run-2'), /it has 3 rows, and 4 at least are expected/)
    await services().state.releaseLease('orders', 'run-2')
    await assert.rejects(run(upserting(rowCount({ max: 2 })), 'run-3'), /it has 3 rows, and 2 at most are expected/)
  })

  test('rowCount is compared with what the table had after the last run that committed', async () => {
    const counting = upserting(rowCount({ within: '50%' }))
    await run(counting, 'run-1')
    await rewind()
    await SourceOrder.insertAll([4, 5].map((id) => ({ ...order(id), changedAt: LATER })))

    await assert.rejects(run(counting, 'run-2'), /it has 5 rows, and had 3 after the run before: more than 50 % apart/)

    assert.equal((await services().state.pipeline('orders'))?.countedRows, 3)
    await services().state.releaseLease('orders', 'run-2')
    await Order.deleteAll({ orderId: 5n })
    await SourceOrder.deleteAll({ id: 5n })
    await run(counting, 'run-3')
    assert.equal((await services().state.pipeline('orders'))?.countedRows, 4)
  })

  test('rowCount has nothing to compare with where the table had no row', async () => {
    const counting = upserting(rowCount({ within: '50%' }))
    await SourceOrder.deleteAll()
    await run(counting, 'run-1')
    await rewind()
    await SourceOrder.insertAll([{ ...order(4), changedAt: LATER }])

    await run(counting, 'run-2')

    assert.equal((await services().state.pipeline('orders'))?.countedRows, 1)
  })

  test('freshness goes by the newest row of the source and its clock', async () => {
    const fresh = upserting(freshness('2h'))
    await assert.rejects(
      run(fresh, 'run-1'),
      /the newest row of checks-source\.orders is \d+ d \d+ h old by changed_at/,
    )
    await services().state.releaseLease('orders', 'run-1')
    const now = timestampOf(new Date(Date.now() - 60_000).toISOString().replace('T', ' ').replace('Z', ''))
    await SourceOrder.insertAll([{ ...order(4), changedAt: now }])

    await run(fresh, 'run-2')

    assert.deepEqual(
      (await resultsOf('run-2')).map(({ status, scope }) => [status, scope]),
      [['passed', 'source']],
    )
    await SourceOrder.deleteAll()
    const [empty] = await checkWholeTable(fresh, services())
    assert.match(empty?.said ?? '', /has no row with a changed_at/)
  })

  test('a replace that does not hold leaves the old rows, and holds after they are mended', async () => {
    const checked = replacing(notNull('status'), unique('code'))
    await Order.insertAll([{ orderId: 99n, customerId: null, code: null, status: 'old', amount: null }])

    await assert.rejects(
      run(checked, 'run-1'),
      /notNull\(status\).*1 row with NULL in status\. The old rows of .* stay/,
    )

    assert.deepEqual(await orders(), [99])
    await services().state.releaseLease('orders', 'run-1')
    await SourceOrder.deleteAll({ id: 2n })
    await run(checked, 'run-2')
    assert.deepEqual(await orders(), [1, 3])
    assert.deepEqual(
      (await resultsOf('run-2')).map(({ status }) => status),
      ['passed', 'passed'],
    )
  })

  test('a run that is resumed asks again, and loads nothing', async () => {
    for (const checked of [upserting(notNull('status')), appending(notNull('status'))]) {
      for (const model of [Order]) await model.deleteAll()
      await services().state.setLastRun('orders', null, Date.now())
      const id = `${checked.load.kind}-1`
      if (checked.load.kind === 'append') await target.query('delete from dray_fence')
      await assert.rejects(run(checked, id), /1 of its 1 checks does not hold/)
      await services().state.releaseLease('orders', id)
      await Order.deleteAll({ orderId: 2n })
      await services().state.startRun({
        ...{ id, workflow: 'test', startTime: Date.now(), runner: 'test', trigger: 'manual' },
      })

      const planned = await planRun(checked, `${id}-again`, services(), { resume: id })
      assert.equal(planned.count, 0)
      await commitRun(checked, `${id}-again`, planned, services())

      assert.deepEqual(await orders(), [1, 3])
      assert.notEqual(await lastRun(), null)
      assert.deepEqual(
        (await resultsOf(`${id}-again`)).map(({ status }) => status),
        ['passed'],
      )
      await services().state.releaseLease('orders', `${id}-again`)
    }
  })

  test('a Commit that is delivered again asks again, and does not commit what does not hold any more', async () => {
    for (const [of, id] of [
      [upserting(notNull('status')), 'upsert'],
      [replacing(notNull('status')), 'replace'],
    ] as const) {
      await services().state.setLastRun('orders', null, Date.now())
      await SourceOrder.deleteAll({ id: 2n })
      await Order.deleteAll()
      const planned = await planRun(of, id, services())
      for (const { partition } of planned.partitions)
        await load(of, await prepare(of, id, planned, partition, services()), services())
      const lost = new Proxy(services().state, {
        get: (state, name) =>
          name === 'commit'
            ? () => Promise.reject(new TransientError('the state is away'))
            : Reflect.get(state, name).bind(state),
      })
      await assert.rejects(commitRun(of, id, planned, { ...services(), state: lost }), /the state is away/)
      await target.query(`insert into order_fact (order_id, code) values (50, 'late')`)

      await assert.rejects(commitRun(of, id, planned, services()), /1 row with NULL in status/)

      assert.equal(await lastRun(), null)
      assert.equal((await services().state.pipeline('orders'))?.commitOwner, null)
      await services().state.releaseLease('orders', id)
    }
  })

  test('a check that the database does not take is said before rows are read', async () => {
    const unknown = upserting(noRows('no such column', sql`select nothing_of_it from ${Order}`))

    await assert.rejects(
      planRun(unknown, 'run-1', services()),
      /orders: the check no such column of checks-target\.order_fact cannot run, so nothing was read: /,
    )
  })

  test('a check whose table goes away meanwhile fails the step, and says so', async () => {
    const checked = upserting(references('customerId', Customer), notNull('orderId'))
    const planned = await planRun(checked, 'run-1', services())
    await target.query('drop table customer')

    await assert.rejects(commitRun({ ...checked }, 'run-1', planned, services()), /partitions have landed/)
    const [missing, there] = await checkWholeTable(checked, services())

    assert.deepEqual([missing?.status, there?.status], ['not run', 'passed'])
    assert.match(missing?.said ?? '', /it could not run: /)
  })

  test('a SELECT that would write leaves nothing behind', {
    skip: engine.dialect !== 'postgres' && 'no functions',
  }, async () => {
    await target.query(
      "create function sell() returns bigint language sql as $$insert into customer select max(id) + 1, 'more' from customer returning id$$",
    )
    const writing = (of: typeof upserting) =>
      of(noRows('writes', sql`select sell() where 1 = ${1}`, { severity: 'warn' }))

    await run(writing(upserting), 'run-1')
    await services().state.setLastRun('orders', null, Date.now())
    await run(writing(replacing), 'run-2')

    assert.match((await resultsOf('run-1'))[0]?.said ?? '', /read-only transaction/)
    assert.equal((await resultsOf('run-2'))[0]?.status, 'warned')
    assert.equal(await Customer.count(), 1)
  })
})

test('a field that the target does not have is an error of the compiler', () => {
  const declared = () =>
    pipeline('orders', {
      extract: changed,
      transform,
      load: upsert(Order, { by: 'orderId' }),
      checks: [
        unique('orderId'),
        references('customerId', Customer, { by: 'id' }),
        // @ts-expect-error: misspelt.
        notNull('custmerId'),
        // @ts-expect-error: not a field of the other model.
        references('customerId', Customer, { by: 'nmae', name: 'other' }),
      ],
    })
  assert.throws(declared, /has no field "custmerId"; its fields are orderId/)
})

test('a check that could never be asked is refused when it is declared', () => {
  const refused = (checks: Named[], message: RegExp) => assert.throws(() => upserting(...checks), message)
  refused([unique('code'), unique('code')], /pipeline\('orders'\): two checks are called unique\(code\)/)
  refused(
    [unique('nothing' as 'code')],
    /the check unique\(nothing\): checks-target\.order_fact has no field "nothing"/,
  )
  refused([references('customerId', SourceOrder)], /checks-source\.orders, which is in another database/)
  refused([references(['customerId', 'code'], Customer)], /name as many fields of checks-target\.customer/)
  refused([accepted('status', [])], /accepts no value/)
  refused([between('amount', 'much', 'more')], /decimal/)
  refused([noRows('two', sql`select 1; delete from order_fact`)], /one SELECT/)
  refused([noRows('other', sql`delete from ${Order}`)], /one SELECT/)
  refused([noRows('elsewhere', sql`select * from ${SourceOrder}`)], /does not have that table/)
  assert.throws(() => replacing(unique('code', { scope: 'run' })), /replace\(\) cannot tell from others/)
  assert.throws(() => replacing(freshness('2h')), /reads by none/)
  assert.throws(() => rowCount({}), /says nothing/)
  assert.throws(() => rowCount({ within: '-5%' }), /no share/)
})
