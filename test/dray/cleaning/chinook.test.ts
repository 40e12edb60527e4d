import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from 'dray/internal/cleaning/address.ts'
import { parseDate } from 'dray/internal/cleaning/date.ts'
import { cleanEmail } from 'dray/internal/cleaning/email.ts'
import { cleanPhone } from 'dray/internal/cleaning/phone.ts'
import { cleanText } from 'dray/internal/cleaning/text.ts'
import { withoutSharedData } from '#test/shared-data.ts'
import { chinookCustomers } from './chinook-customers.ts'

const skip = withoutSharedData

test('all 59 addresses of Chinook are split into the columns they were joined from', { skip }, () => {
  const customers = chinookCustomers()
  assert.equal(customers.length, 59)
  for (const { raw, line, city, state, postalCode, country } of customers) {
    const address = parseAddress(raw)

    const { findings: _, countryCode, ...parts } = address
    assert.deepEqual(parts, { line, city, state, postalCode, country })
    assert.match(countryCode ?? '', /^[A-Z]{2}$/)
  }
})

test('three phone numbers of Chinook are invalid: a digit too many, an old Chilean number, an Indian range not in use', {
  skip,
}, () => {
  const refused = chinookCustomers().filter(
    ({ raw, phone }) => cleanPhone(phone, parseAddress(raw).countryCode).finding,
  )

  assert.deepEqual(
    refused.map(({ phone }) => phone),
    ['+453 3331 9991', '+56 (0)2 635 4444', '+91 0124 39883988'],
  )
})

test('every other value of Chinook is clean as it is', { skip }, () => {
  for (const { name, email, createdAt } of chinookCustomers()) {
    assert.equal(cleanText(name), name)
    assert.deepEqual(cleanEmail(email), { value: email, finding: null })
    assert.deepEqual(parseDate(createdAt), { value: createdAt.slice(0, 10), finding: null })
  }
})
