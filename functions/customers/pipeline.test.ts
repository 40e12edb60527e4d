import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testPipeline, testRun } from 'dray-infra/testing'
import { customers } from './pipeline.ts'

test('a customer is cleaned, and its address taken apart', () => {
  testPipeline(customers)
    .row({
      id: 7n,
      name: '  Aino   Virtanen ',
      email: 'Aino.Virtanen@Example.com',
      phone: '040 1234567',
      address: 'Mannerheimintie 1, Helsinki, 00100, Finland',
      createdAt: '2026-01-31',
    })
    .becomes({
      id: 7n,
      fullName: 'Aino Virtanen',
      email: 'aino.virtanen@example.com',
      phone: '+358401234567',
      addressLine: 'Mannerheimintie 1',
      city: 'Helsinki',
      postalCode: '00100',
      createdDate: '2026-01-31',
    })
})

test('what is wrong with a value is a finding, and the customer is loaded without it', () => {
  testPipeline(customers)
    .row({ id: 7n, name: 'Aino Virtanen', email: 'aino at example', phone: '12' })
    .becomes({ id: 7n, fullName: 'Aino Virtanen', email: null, phone: null })
    .finds('email', 'invalid')
    .finds('phone', 'invalid')
})

test('a customer without a name or an id goes to the quarantine', () => {
  testPipeline(customers)
    .row({ id: 7n, name: ' ' })
    .rejects('name', 'missing')
    .row({ name: 'Aino Virtanen' })
    .rejects('id', 'missing')
    .row({ id: -1n, name: 'Aino Virtanen' })
    .rejects('id', 'missing')
})

test('a run keeps who has no name in the quarantine, and leaves a customer alone that has not changed', async () => {
  const [aino, nobody] = [
    { id: 7n, name: 'Aino Virtanen' },
    { id: 8n, name: null },
  ]
  const first = await testRun(customers, { source: [aino, nobody], now: '2026-02-01 12:00:00' })
  const next = await first.again({ source: [aino, { id: 8n, name: 'Bo Ek' }], now: '2026-02-02 12:00:00' })

  assert.deepEqual(
    first.quarantine.map(({ row, errors }) => [row.id, errors[0]?.field]),
    [[8n, 'name']],
  )
  assert.partialDeepStrictEqual(next.counts, { unchanged: 1, inserted: 1 })
  assert.deepEqual(
    next.target.map(({ fullName }) => fullName),
    ['Aino Virtanen', 'Bo Ek'],
  )
})
