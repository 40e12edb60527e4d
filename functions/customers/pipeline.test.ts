import { test } from 'node:test'
import { testPipeline } from 'dray-infra/testing'
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
