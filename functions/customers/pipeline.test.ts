import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transformed } from 'dray-infra/testing'
import { customers } from './pipeline.ts'

test('a customer is cleaned, and its address taken apart', () => {
  const result = transformed(customers, {
    id: 7n,
    name: '  Aino   Virtanen ',
    email: 'Aino.Virtanen@Example.com',
    phone: '040 1234567',
    address: 'Mannerheimintie 1, Helsinki, 00100, Finland',
    createdAt: '2026-01-31',
  })

  assert.equal(result.outcome, 'loaded')
  const { id, fullName, phone, city, postalCode, createdDate } = result.row
  assert.deepEqual(
    { id, fullName, phone, city, postalCode, createdDate },
    {
      id: 7n,
      fullName: 'Aino Virtanen',
      phone: '+358401234567',
      city: 'Helsinki',
      postalCode: '00100',
      createdDate: '2026-01-31',
    },
  )
})

test('what is wrong with a value is a finding, and the customer is loaded without it', () => {
  const result = transformed(customers, { id: 7n, name: 'Aino Virtanen', email: 'aino at example', phone: '12' })

  assert.equal(result.outcome, 'loaded')
  assert.deepEqual([result.row.email, result.row.phone], [null, null])
  assert.deepEqual(result.findings.map(({ field }) => field).sort(), ['email', 'phone'])
})

test('a customer without a name or an id goes to the quarantine', () => {
  for (const row of [{ id: 7n, name: ' ' }, { name: 'Aino Virtanen' }, { id: -1n, name: 'Aino Virtanen' }]) {
    assert.equal(transformed(customers, row).outcome, 'quarantined')
  }
})
