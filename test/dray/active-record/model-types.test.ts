import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Decimal, decimalOf, type Timestamp } from 'dray/internal/active-record/values.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { CustomerSales, TargetCustomer, TargetOrder } from '#test/fixture/shared/models/lake.ts'
import { SourceCustomer } from '#test/fixture/shared/models/shop.ts'

/** True only when the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_: Same<A, B>): void {}

/** Compiled, never called: what must not compile is marked, and an unused mark is an error. */
export function misuses(): void {
  const order = new TargetOrder()
  same<typeof order.orderId, bigint>(true)
  same<typeof order.orderAmount, Decimal>(true)
  same<typeof order.etlTimestamp, Timestamp>(true)
  const customer = new SourceCustomer()
  same<typeof customer.email, string | null>(true)

  // @ts-expect-error a misspelt column
  order.orderIdd
  // @ts-expect-error a number where a bigint is
  order.orderId = 1
  // @ts-expect-error a string that is not known to be a decimal
  order.orderAmount = '1.20'
  // @ts-expect-error NULL where there must be a value
  order.orderAmount = null
  // @ts-expect-error a source has no save
  customer.save()
  // @ts-expect-error a source is only read
  customer.name = 'x'
  // @ts-expect-error a source has no create
  SourceCustomer.create({})
  // @ts-expect-error an unknown finder
  TargetOrder.findByColour('red')
  // @ts-expect-error a finder with a value of another type
  TargetOrder.findByOrderId('1')
  // @ts-expect-error a key of another type
  TargetOrder.find('1')
  // @ts-expect-error a forgotten required column
  new TargetOrder().assign({ orderIds: 1n })
  // @ts-expect-error a forgotten required column
  TargetOrder.create({ orderId: 1n })
  // @ts-expect-error a condition on a misspelt column
  TargetOrder.where({ status: 'paid' })
  // @ts-expect-error an order by a misspelt column
  TargetOrder.all().order('amount')
  // @ts-expect-error a cursor that is no field
  changedSince(SourceCustomer, { cursor: 'updatedAt' })
  // @ts-expect-error a conflict key that is no field
  upsert(TargetOrder, { by: 'id' })
  pipeline('orders', {
    extract: fullLoad(SourceCustomer),
    // @ts-expect-error a transform that forgets required columns
    transform: (source) => ({ orderId: source.id }),
    load: upsert(TargetOrder, { by: 'orderId' }),
  })
  void TargetOrder.find(1n)
  void TargetOrder.findByOrderStatus('paid')
  void TargetCustomer.where({ id: [1n, 2n], email: null }).order('id', { fullName: 'desc' })
}

test('a new record has what it was given as own fields', () => {
  const till = new CustomerSales({ customerId: 9007199254740993n, revenue: decimalOf('1.10') })

  assert.equal(till.customerId, 9007199254740993n)
  assert.equal(till.revenue, '1.10')
  assert.equal(till.isNew, true)
  assert.deepEqual(Object.keys(till), ['customerId', 'revenue'])
})
