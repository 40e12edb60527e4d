import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { cleanEmail, cleanPhone, cleanText, parseAddress, parseDate } from 'dray/cleaning'
import { parsePhoneNumberFromString } from 'libphonenumber-js/max'
import { customers, customersWithTruth, type DemoCustomer, summarizeCustomers } from './customers.ts'
import type { CustomerRow } from './rows.ts'

const options = { seed: 42, count: 20_000, asOf: '2026-11-23 07:00:00' }
let generated: DemoCustomer[] = []
before(() => {
  generated = [...customersWithTruth(options)]
})

test('the same options give the same rows, and another seed others', () => {
  const few = { ...options, count: 500 }

  assert.deepEqual([...customers(few)], [...customers(few)])
  assert.notDeepEqual([...customers(few)], [...customers({ ...few, seed: 43 })])
})

test('a row does not depend on the seed of another table, on the clock or on the rows before it', () => {
  const first = [...customers(options)].at(0)

  assert.deepEqual(first, [...customers({ ...options, count: 100 })].at(0))
})

test('exactly three rows have no id, four no name, and two repeat the id of an earlier row', () => {
  const rows = generated.map(({ row }) => row)
  const usable = (id: string | null) => /^\d+$/.test(id ?? '')
  const ids = rows.map(([id]) => id).filter(usable)

  assert.deepEqual(
    rows.map(([id]) => id).filter((id) => !usable(id)),
    ['', null, 'n/a'],
  )
  assert.equal(rows.filter(([, name]) => cleanText(name) === null).length, 4)
  assert.equal(ids.length - new Set(ids).size, 2)
  assert.equal(rows.length, 20_000)
})

test('the summary counts what cleaning finds', () => {
  const sound = generated.filter(({ poison }) => poison === null).map(({ row }) => row)
  const emails = sound.filter(([, , email]) => cleanEmail(email).finding).length
  const phones = sound.filter(
    ([, , , phone, address]) => cleanPhone(phone, parseAddress(address).countryCode).finding,
  ).length

  const summary = summarizeCustomers(options)

  const { invalidEmails, invalidPhones, ...counts } = summary
  assert.deepEqual(counts, { rows: 20_000, withoutId: 3, withoutName: 4, duplicateIds: 2 })
  assert.deepEqual([invalidEmails, invalidPhones], [emails, phones])
  assert.ok(invalidEmails > 300 && invalidEmails < 500, `${invalidEmails} e-mails`)
})

/** Of the rows whose cleaned value is the one that the row was made from. */
function rate(clean: (row: CustomerRow) => unknown, truth: (customer: DemoCustomer) => unknown): number {
  const sound = generated.filter(({ poison }) => poison === null)
  const right = sound.filter((customer) => JSON.stringify(clean(customer.row)) === JSON.stringify(truth(customer)))
  return right.length / sound.length
}

test('cleaning gives back every name, e-mail address and date that a row was made from', () => {
  assert.equal(
    rate(
      ([, name]) => cleanText(name),
      ({ clean }) => clean.fullName,
    ),
    1,
  )
  assert.equal(
    rate(
      ([, , email]) => cleanEmail(email).value,
      ({ clean }) => clean.email,
    ),
    1,
  )
  assert.equal(
    rate(
      ([, , , , , date]) => parseDate(date).value,
      ({ clean }) => clean.createdDate,
    ),
    1,
  )
})

test('cleaning gives back every phone number, all of them valid, and at least 99.9 % of the addresses', () => {
  const phones = rate(
    ([, , , phone, address]) => cleanPhone(phone, parseAddress(address).countryCode).value,
    ({ clean }) => clean.phone,
  )
  const addresses = rate(
    ([, , , , address]) => {
      const { line, city, state, postalCode, country } = parseAddress(address)
      return [line, city, state, postalCode, country]
    },
    ({ clean: { line, city, state, postalCode, country } }) => [line, city, state, postalCode, country],
  )

  assert.equal(phones, 1)
  assert.ok(addresses >= 0.999, `${addresses}`)
  for (const { clean } of generated)
    assert.ok(clean.phone === null || parsePhoneNumberFromString(clean.phone)?.isValid(), clean.phone ?? '')
})

test('the rows are as messy as real ones', () => {
  const share = (isSo: (row: CustomerRow) => boolean) =>
    generated.filter(({ row }) => isSo(row)).length / generated.length
  const countries = new Set(generated.map(({ row }) => parseAddress(row[4]).countryCode))
  const dateForms = new Set(
    generated.map(({ row }) => row[5]?.replaceAll(/\d/g, '9').replaceAll(/[A-Za-z]{3,}/g, 'month')),
  )

  assert.ok(countries.size >= 12, `${countries.size} countries`)
  assert.ok(dateForms.size >= 8, `${dateForms.size} forms of dates`)
  assert.ok(share(([, name]) => name !== null && name !== cleanText(name)) > 0.05)
  assert.ok(share(([, name]) => name !== null && name !== name.normalize('NFC')) > 0.002)
  assert.ok(share(([, , , phone]) => phone !== null && !phone.startsWith('+')) > 0.2)
  assert.ok(share(([, , , , address]) => address === null || address.trim() === '') > 0.005)
})

test('every text can be stored by every database: no NUL, no lone surrogate', () => {
  for (const { row } of generated) {
    for (const text of row) assert.ok(text === null || (text.isWellFormed() && !text.includes('\0')))
  }
})

test('fewer than a hundred customers are refused', () => {
  assert.throws(() => [...customers({ ...options, count: 99 })], RangeError)
})
