import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { orders, summarizeOrders } from './orders.ts'
import { customerPoisons } from './poison.ts'
import type { OrderRow } from './rows.ts'

const options = { seed: 42, customers: 20_000, count: 200_000, asOf: '2026-11-23 07:00:00' }
let rows: OrderRow[] = []
before(() => {
  rows = [...orders(options)]
})

test('the same options give the same orders, and another seed others', () => {
  const few = { ...options, count: 500 }

  assert.deepEqual([...orders(few)], [...orders(few)])
  assert.notDeepEqual([...orders(few)], [...orders({ ...few, seed: 43 })])
})

test('two hundred thousand orders have the ids from 1 on and exactly five cannot be loaded', () => {
  const summary = summarizeOrders(options)

  assert.equal(rows.length, 200_000)
  assert.ok(rows.every(([id], i) => id === String(i + 1)))
  assert.deepEqual(summary, { rows: 200_000, withoutCustomer: 2, withoutAmount: 2, overlongStatus: 1 })
  assert.equal(rows.filter(([, customer]) => customer === null).length, summary.withoutCustomer)
  assert.equal(rows.filter(([, , , total]) => total === null).length, summary.withoutAmount)
  assert.equal(rows.filter(([, , , , status]) => status.length > 255).length, summary.overlongStatus)
})

test('every order is of a customer that can be loaded', () => {
  const poisons = customerPoisons(options.customers)

  for (const [, customer] of rows) {
    if (customer === null) continue
    assert.ok(
      Number(customer) >= 1 && Number(customer) <= options.customers && !poisons.has(Number(customer)),
      customer,
    )
  }
})

test('no order was updated before it was placed, nor in the hour before asOf', () => {
  for (const [, , ordered, , , updated] of rows) {
    assert.match(updated, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/)
    assert.ok(ordered <= updated, `${ordered} ${updated}`)
    assert.ok(updated <= '2026-11-23 06:00:00.000000', updated)
  }
})

test('amounts are exact numbers of cents', () => {
  for (const [, , , total] of rows) assert.match(total ?? '1.00', /^\d{1,3}\.\d\d$/)
})

test('more than a thousand orders share one last_updated, as a nightly job leaves them', () => {
  const counts = new Map<string, number>()
  for (const [, , , , , updated] of rows) counts.set(updated, (counts.get(updated) ?? 0) + 1)

  assert.ok(counts.values().some((count) => count > 1000))
})
