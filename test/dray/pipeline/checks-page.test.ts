import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, decimal, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import {
  accepted,
  between,
  freshness,
  noRows,
  notNull,
  references,
  rowCount,
  unique,
} from 'dray/internal/pipeline/declare/checks.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import { checked, task } from 'dray/internal/pipeline/declare/task.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import { onEachEngine } from './engines.ts'
import { runPipeline, runReference } from './harness.ts'

/* The examples of docs/checks.md, as they stand there. */

const sales = database('page-sales')
const warehouse = database('page-warehouse')

const fields = {
  orderId: bigint().primaryKey(),
  customerId: bigint().nullable(),
  code: varchar(20),
  status: text(),
  amount: decimal(10, 2),
}
class SourceOrder extends sales.table('orders', { ...fields, lastUpdated: timestamp() }) {}
class TargetOrder extends warehouse.table('order_fact', fields) {}
class TargetCustomer extends warehouse.table('customer_dim', { id: bigint().primaryKey() }) {}
class CustomerSales extends warehouse.table('customer_sales', {
  customerId: bigint().primaryKey(),
  revenue: bigint(),
}) {}
const models = [SourceOrder, TargetOrder, TargetCustomer] as unknown as ModelClass[]

const copied = {
  orderId: 'orderId',
  customerId: 'customerId',
  code: 'code',
  status: 'status',
  amount: 'amount',
} as const
const orders = pipeline('orders', {
  extract: changedSince(SourceOrder, { cursor: 'lastUpdated' }),
  transform: copyFields(SourceOrder, copied),
  load: upsert(TargetOrder, { by: 'orderId' }),
  checks: [
    unique('code'),
    notNull(['customerId', 'status']),
    references('customerId', TargetCustomer),
    between('amount', 0, 1000, { severity: 'warn' }),
    accepted('status', ['open', 'paid']),
    rowCount({ within: '20%' }),
    freshness('2h'),
    noRows(
      'nobody is paid twice',
      sql`select code from ${TargetOrder} where ${TargetOrder.fields.status} = ${'paid'} group by code having count(*) > 1`,
    ),
  ],
  owner: 'data team <data@example.org>',
})

const refreshSales = async () => {
  await CustomerSales.createTable({ ifMissing: true })
  await CustomerSales.insertAll([{ customerId: 1n, revenue: 5n }])
}
const updateDataMart = task('data-mart', refreshSales, {
  writes: [CustomerSales],
  checks: [checked(CustomerSales, [unique('customerId'), rowCount({ min: 1 })])],
})

onEachEngine('the page of checks', [sales, warehouse], (engine) => {
  test('has examples that hold', async () => {
    for (const model of models) await model.createTable()
    await TargetCustomer.insertAll([{ id: 1n }])
    const lastUpdated = timestampOf(new Date(Date.now() - 60_000).toISOString())
    const row = { customerId: 1n, status: 'paid', amount: decimalOf('1001.00'), lastUpdated }
    await SourceOrder.insertAll([1n, 2n].map((orderId) => ({ orderId, code: `c${orderId}`, ...row })))
    const { services } = engine.harness

    await runPipeline(orders as unknown as Pipeline, 'run-1', services)
    await runTask(updateDataMart, { run: runReference('run-2'), task: 'data-mart' }, services)

    const checks = (await services.state.stepRecord('run-1', 'orders'))?.checks ?? []
    assert.deepEqual(
      checks.filter(({ status }) => status !== 'passed').map(({ name, status }) => [name, status]),
      [['between(amount)', 'warned']],
    )
    assert.equal(checks.length, 8)
    assert.equal((await services.state.stepRecord('run-2', 'data-mart'))?.checks?.length, 2)
  })
})
