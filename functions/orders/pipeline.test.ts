import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testPipeline, testRun } from 'dray-infra/testing'
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

test('an order without a status is unknown', () => {
  testPipeline(orders)
    .row({ ...order, status: null })
    .becomes({ orderId: 1n, customerId: 7n, orderDate: '2026-01-31', orderAmount: '19.90', orderStatus: 'unknown' })
})

test('a run reads the orders that have changed since the last one, and writes them over', async () => {
  const other = { ...order, id: 2n, customerId: null }
  const first = await testRun(orders, { source: [order, other], now: '2026-02-01 12:00:00' })
  const sent = { ...order, status: 'sent', lastUpdated: '2026-02-01 13:00:00' }
  const next = await first.again({ source: [sent, other], now: '2026-02-02 12:00:00' })

  assert.partialDeepStrictEqual(first.counts, { read: 2, inserted: 1, quarantined: 1 })
  assert.partialDeepStrictEqual(next.counts, { read: 1, updated: 1 })
  assert.deepEqual(
    next.target.map(({ orderId, orderStatus, etlTimestamp }) => [orderId, orderStatus, etlTimestamp]),
    [[1n, 'sent', '2026-02-02 12:00:00']],
  )
})
