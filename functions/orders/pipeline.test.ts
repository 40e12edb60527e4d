import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decimalOf, timestampOf } from 'dray'
import { transformed } from 'dray-infra/testing'
import { orders } from './pipeline.ts'

const order = {
  id: 1n,
  customerId: 7n,
  orderDate: timestampOf('2026-01-31 23:30:00'),
  totalAmount: decimalOf('19.90'),
  status: ' Paid ',
  lastUpdated: timestampOf('2026-02-01 00:00:00'),
}

test('an order keeps its amount to the cent, and its day', () => {
  const result = transformed(orders, order)

  assert.equal(result.outcome, 'loaded')
  const { orderId, orderAmount, orderDate, orderStatus } = result.row
  assert.deepEqual(
    { orderId, orderAmount, orderDate, orderStatus },
    { orderId: 1n, orderAmount: '19.90', orderDate: '2026-01-31', orderStatus: 'paid' },
  )
})

for (const missing of ['customerId', 'orderDate', 'totalAmount'] as const) {
  test(`an order without its ${missing} goes to the quarantine, with the reason`, () => {
    const result = transformed(orders, { ...order, [missing]: null })

    assert.equal(result.outcome, 'quarantined')
    assert.deepEqual(
      result.errors.map(({ field, code }) => [field, code]),
      [[missing, 'missing']],
    )
  })
}
