import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { testPipeline, testRun } from 'dray-infra/testing'
import { orders } from '#test/fixture/functions/orders/pipeline.ts'
import { codeOf, readPage } from './page.ts'

/* The examples of docs/testing.md, as they stand there. */

const order = {
  id: 1n,
  customerId: 7n,
  orderDate: '2026-01-31 23:30:00',
  totalAmount: '19.90',
  lastUpdated: '2026-02-01 00:00:00',
}

test('an order keeps its amount to the cent, and its day', () => {
  testPipeline(orders)
    .row(order)
    .becomes({ orderId: 1n, customerId: 7n, orderDate: '2026-01-31', orderAmount: '19.90', orderStatus: 'unknown' })
})

test('an order without a customer goes to the quarantine', () => {
  testPipeline(orders)
    .row({ ...order, customerId: null })
    .rejects('customerId', 'missing')
})

test('rows of the source become what they became', () => {
  testPipeline(orders).fixture('./orders.fixture.json')
})

test('an order that changes is updated by the next run', async () => {
  const first = await testRun(orders, { source: [order], now: '2026-02-01 12:00:00' })
  const changed = { ...order, status: 'sent', lastUpdated: '2026-02-01 13:00:00' }
  const next = await first.again({ source: [changed], now: '2026-02-02 12:00:00' })

  assert.partialDeepStrictEqual(next.counts, { read: 1, updated: 1 })
  assert.deepEqual(
    next.target.map(({ orderId, orderStatus }) => [orderId, orderStatus]),
    [[1n, 'sent']],
  )
  assert.equal(next.lastRun, '2026-02-02 11:55:00')
})

const page = readPage('docs/testing.md')

test('each example of docs/testing.md stands in this file, which runs it', async () => {
  const bare = (code: string) => code.replaceAll(/\s+/g, '')
  const own = bare(await readFile(import.meta.filename, 'utf8'))
  const examples = codeOf(page)

  assert.ok(examples.length > 0)
  for (const example of examples) assert.ok(own.includes(bare(example)), `this is not run:\n${example}`)
})

test('the failure that docs/testing.md shows is the one that is printed', () => {
  const expected = {
    orderId: 1n,
    customerId: 7n,
    orderDate: '2026-01-31',
    orderAmount: '19.90',
    orderStatus: 'unknown',
  }

  assert.throws(
    () =>
      testPipeline(orders)
        .row({ ...order, totalAmount: '19.9' })
        .becomes(expected),
    ({ message }: Error) => page.includes(`\`\`\`\n${message}\`\`\`\n`),
  )
})
