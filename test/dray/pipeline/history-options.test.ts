import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, integer, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { examinePipeline } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { onEachEngine } from './engines.ts'
import { runReference } from './harness.ts'

const crm = database('options-source')
const warehouse = database('options-target')

class Customer extends crm.table('customer', {
  id: bigint().primaryKey(),
  city: varchar(20),
  visits: integer().nullable(),
}) {}
class CustomerVersion extends warehouse.table('customer_history', {
  id: bigint().primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp(),
  isCurrent: boolean(),
  city: varchar(20),
  visits: integer().nullable(),
}) {}

const customers = pipeline('customers', {
  extract: fullLoad(Customer),
  transform: ({ id, city, visits }) => ({ id, city, visits }),
  load: history(CustomerVersion, {
    by: 'id',
    validFrom: 'validFrom',
    validTo: 'validTo',
    current: 'isCurrent',
    compare: ['city'],
    others: 'update',
    open: '9999-12-31',
  }),
  deletes: { close: true, most: 1 },
}) as unknown as Pipeline

onEachEngine('options of a history', [crm, warehouse], (engine) => {
  async function run(id: string, day: string) {
    const { services } = engine.harness
    const reference = { ...runReference(id), started_at: `${day}T02:00:00.000Z` }
    const planned = await plan(customers, { run: reference, pipeline: customers.name }, services)
    const { plan: staged, epoch } = planned
    for (const { partition } of planned.partitions) {
      const input = { run: reference, pipeline: customers.name, plan: staged, epoch, partition }
      const extracted = await extract(customers, input, services)
      await load(customers, await transform(customers, extracted, services), services)
    }
    return commit(customers, { run: reference, pipeline: customers.name, plan: staged, epoch }, services)
  }

  async function kept(): Promise<string[]> {
    const rows = await CustomerVersion.all().order('id', 'validFrom').toArray()
    return rows.map(
      ({ id, city, visits, validFrom, validTo, isCurrent }) =>
        `${id} ${city} ${visits} ${validFrom.slice(0, 10)}..${validTo.slice(0, 10)}${isCurrent ? ' now' : ''}`,
    )
  }

  const is = (city: string, visits: number | null) => Customer.upsertAll([{ id: 1n, city, visits }], { by: 'id' })

  beforeEach(async () => {
    for (const model of [Customer, CustomerVersion] as unknown as ModelClass[]) await model.createTable()
  })

  test('a day that the column cannot hold is refused at Plan, and by doctor', async (context) => {
    if (engine.dialect !== 'mysql') return context.skip('columns of moments hold each day elsewhere')
    await is('Turku', 1)
    await warehouse.query(
      "alter table customer_history modify valid_to timestamp(6) not null default '2000-01-01 00:00:00'",
    )
    const message =
      /^customers: the history ends its current versions on 9999-12-31 \(open\), and valid_to of options-target\.customer_history is timestamp\(6\), which cannot hold it, so no version could be written and nothing was read; make the column datetime\(6\), or give a nearer day/
    const surroundings = { isConnected: () => true, services: null, makesTargets: false }

    await assert.rejects(run('run-1', '2024-01-01'), { name: 'Terminal', message })

    const broken = (await examinePipeline(customers, surroundings)).filter(({ verdict }) => verdict === 'broken')
    assert.match(broken[0]?.said ?? '', message)
    await warehouse.query('alter table customer_history modify valid_to datetime(6) not null')
    await engine.harness.services.state.releaseLease('customers', 'run-1')
    await run('run-2', '2024-01-02')
    assert.deepEqual(await kept(), ['1 Turku 1 2024-01-02..9999-12-31 now'])
  })

  test('fields outside compare follow the source in the current version, and none that has ended', async () => {
    await is('Oulu', 1)
    await run('run-1', '2024-01-01')
    await is('Turku', 2)
    await run('run-2', '2024-01-02')
    await is('Turku', null)

    const third = await run('run-3', '2024-01-03')

    assert.deepEqual([third.inserted, third.updated, third.unchanged], [0, 1, 0])
    assert.deepEqual(await kept(), ['1 Oulu 1 2024-01-01..2024-01-02', '1 Turku null 2024-01-02..9999-12-31 now'])
    assert.equal((await run('run-4', '2024-01-04')).unchanged, 1)
  })

  test('the current version ends on the day that is said for open, until it is closed, for a delete as well', async () => {
    await is('Oulu', 1)
    await Customer.insertAll([{ id: 2n, city: 'Pori', visits: 1 }])
    await run('run-1', '2024-01-01')
    await Customer.deleteAll({ id: 2n })
    await is('Turku', 1)

    await run('run-2', '2024-01-02')

    assert.deepEqual(await kept(), [
      '1 Oulu 1 2024-01-01..2024-01-02',
      '1 Turku 1 2024-01-02..9999-12-31 now',
      '2 Pori 1 2024-01-01..2024-01-02',
    ])
    await Customer.insertAll([{ id: 2n, city: 'Pori', visits: 1 }])
    await run('run-3', '2024-01-03')
    assert.equal((await kept()).at(-1), '2 Pori 1 2024-01-03..9999-12-31 now')
  })

  test('reconcile compares the fields that follow the source, with the current version', async () => {
    await is('Oulu', 1)
    await run('run-1', '2024-01-01')
    await is('Turku', 1)
    await run('run-2', '2024-01-02')
    assert.deepEqual((await reconcile(customers, engine.harness.services)).differences, [])
    await warehouse.query('update customer_history set visits = 7')

    const { counts, target, differences } = await reconcile(customers, engine.harness.services)

    assert.deepEqual(counts, { missing: 0, extra: 0, different: 1 })
    assert.deepEqual(differences[0]?.columns, ['visits'])
    assert.equal(target.rows, 1)
  })
})

test('a history is refused whose options say nothing together', () => {
  class Nullable extends warehouse.table('nullable_history', {
    id: bigint().primaryKey(),
    since: timestamp().nullable(),
    until: timestamp().nullable(),
    label: text(),
  }) {}
  const of = { by: 'id', validFrom: 'since', validTo: 'until' } as const
  const own = { by: 'id', validFrom: 'validFrom', validTo: 'validTo' } as const
  assert.throws(() => history(Nullable, { ...of, time: 'source' }), /since is not a timestamp field.* never NULL/)
  assert.throws(() => history(CustomerVersion, own), /validTo is not a nullable timestamp/)
  assert.throws(
    () => history(Nullable, { ...of, open: '31.12.9999' as never }),
    /open is "31.12.9999", which is no day/,
  )
  assert.throws(() => history(Nullable, { ...of, open: '9999-02-31' }), /which is no day/)
  assert.throws(() => history(Nullable, { ...of, others: 'update' }), /there is no compare/)
  assert.throws(
    () => history(CustomerVersion, { ...own, open: '9999-12-31', time: 'source', compare: ['city'] }),
    /each start that the transform gives is a version/,
  )
})
