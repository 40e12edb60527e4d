import { test } from 'node:test'
import { testPipeline } from 'dray-infra/testing'
import { orders } from './pipeline.ts'

const order = {
  id: 1n,
  customerId: 7n,
  orderDate: '2026-01-31 23:30:00',
  totalAmount: '19.90',
  status: ' Paid ',
  lastUpdated: '2026-02-01 00:00:00',
}

test('an order keeps its amount to the cent, and its day', () => {
  testPipeline(orders)
    .row(order)
    .becomes({ orderId: 1n, customerId: 7n, orderDate: '2026-01-31', orderAmount: '19.90', orderStatus: 'paid' })
})

for (const missing of ['customerId', 'orderDate', 'totalAmount'] as const) {
  test(`an order without its ${missing} goes to the quarantine, with the reason`, () => {
    testPipeline(orders)
      .row({ ...order, [missing]: null })
      .rejects(missing, 'missing')
  })
}
