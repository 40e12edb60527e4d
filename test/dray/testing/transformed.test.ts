import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decimalOf, timestampOf } from 'dray'
import { transformed } from 'dray-infra/testing'
import { customers } from '#test/fixture/functions/customers/pipeline.ts'
import { orders } from '#test/fixture/functions/orders/pipeline.ts'

test('a row is loaded with its values by property, and what was found on the way', () => {
  const result = transformed(customers, { id: 2n ** 62n, name: ' Ann ', email: 'ann at example' })

  assert.equal(result.outcome, 'loaded')
  assert.deepEqual(result.row, { id: 2n ** 62n, fullName: 'Ann', email: null, phone: null, city: null })
  assert.deepEqual(
    result.findings.map(({ field }) => field),
    ['email'],
  )
})

test('a row that the transform rejects, and one that the target refuses, are quarantined with the reason', () => {
  const rejected = transformed(customers, { id: 1n, name: '' })
  const refused = transformed(customers, { id: 1n, name: 'x'.repeat(201) })

  assert.deepEqual([rejected.outcome, refused.outcome], ['quarantined', 'quarantined'])
  assert.deepEqual('errors' in refused && refused.errors.map(({ field }) => field), ['fullName'])
})

test('the start of the run is told', () => {
  const order = {
    id: 1n,
    customerId: 1n,
    orderDate: timestampOf('2026-01-31 23:30:00'),
    totalAmount: decimalOf('1.00'),
    lastUpdated: timestampOf('2026-02-01 00:00:00'),
  }

  const result = transformed(orders, order, { runStartedAt: '2026-03-01 10:00:00' })

  assert.equal(result.outcome === 'loaded' && result.row.etlTimestamp, '2026-03-01 10:00:00')
})

test('a field that the source does not have is refused, with those that it has', () => {
  // @ts-expect-error the type knows it, too.
  assert.throws(() => transformed(customers, { nickname: 'Ann' }), {
    name: 'Configuration',
    message: /nickname.*email/,
  })
})
