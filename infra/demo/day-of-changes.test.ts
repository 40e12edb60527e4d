import assert from 'node:assert/strict'
import { test } from 'node:test'
import { customers } from './customers.ts'
import { type DayOptions, dayOfChanges } from './day-of-changes.ts'
import { orders } from './orders.ts'
import { customerPoisons, orderPoisons } from './poison.ts'

const options: DayOptions = {
  seed: 42,
  day: 1,
  customers: 20_000,
  orders: 200_000,
  asOf: '2026-11-23 07:00:00',
  from: '2026-11-23 07:10:00',
  to: '2026-11-23 07:10:05.5',
}

test('a day has exactly so many changes, the same each time', () => {
  const { updatedOrders, newOrders, changedCustomers, newCustomers } = dayOfChanges(options)

  assert.deepEqual(
    [updatedOrders, newOrders, changedCustomers, newCustomers].map(({ length }) => length),
    [1600, 800, 200, 100],
  )
  assert.deepEqual(dayOfChanges(options), { updatedOrders, newOrders, changedCustomers, newCustomers })
})

test('every changed order is stamped within the window that was asked for, and nothing is poisoned', () => {
  const { updatedOrders, newOrders, changedCustomers } = dayOfChanges(options)

  for (const [id, customer, , total, , updated] of [...updatedOrders, ...newOrders]) {
    assert.ok(updated >= '2026-11-23 07:10:00.000000' && updated < '2026-11-23 07:10:05.500000', updated)
    assert.ok(customer !== null && total !== null && !orderPoisons(options.orders).has(Number(id)))
  }
  for (const [id] of changedCustomers) assert.ok(!customerPoisons(options.customers).has(Number(id)))
})

test('no day of a small company touches a poisoned row or one whose id is there twice', () => {
  const poisons = customerPoisons(100)
  const repeated = new Set([...poisons.keys()].map((id) => id - 2))
  for (let day = 1; day <= 300; day++) {
    const { updatedOrders, newOrders, changedCustomers } = dayOfChanges({
      ...options,
      day,
      customers: 100,
      orders: 100,
    })

    assert.ok(updatedOrders.every(([id]) => !orderPoisons(100).has(Number(id))))
    assert.ok([...updatedOrders, ...newOrders].every(([, customer]) => !poisons.has(Number(customer))))
    assert.ok(changedCustomers.every(([id]) => !poisons.has(Number(id)) && !repeated.has(Number(id))))
  }
})

test('an updated order keeps its customer and date, once a day at most; a new one has a new id', () => {
  const before = [...orders({ ...options, count: options.orders })]
  const { updatedOrders, newOrders } = dayOfChanges(options)

  assert.ok(updatedOrders.length > 0)
  assert.equal(new Set(updatedOrders.map(([id]) => id)).size, updatedOrders.length)
  for (const [id, customer, ordered] of updatedOrders) {
    assert.deepEqual([customer, ordered], before[Number(id) - 1]?.slice(1, 3))
  }
  assert.deepEqual(
    newOrders.map(([id]) => id),
    Array.from({ length: 800 }, (_, i) => String(200_001 + i)),
  )
})

test('a changed customer keeps its id and name, and has another address, e-mail address or phone number', () => {
  const before = [...customers({ ...options, count: options.customers })]
  const { changedCustomers } = dayOfChanges(options)

  for (const [id, name, ...contacts] of changedCustomers) {
    const [, oldName, ...oldContacts] = before[Number(id) - 1] ?? []
    assert.equal(name, oldName)
    assert.notDeepEqual(contacts, oldContacts)
  }
})

test('another day changes other orders and continues the ids', () => {
  const first = dayOfChanges(options)
  const second = dayOfChanges({ ...options, day: 2 })

  assert.notDeepEqual(
    second.updatedOrders.map(([id]) => id),
    first.updatedOrders.map(([id]) => id),
  )
  assert.equal(Number(second.newOrders[0]?.[0]), Number(first.newOrders.at(-1)?.[0]) + 1)
  assert.equal(Number(second.newCustomers[0]?.[0]), Number(first.newCustomers.at(-1)?.[0]) + 1)
})

test('a day without time in it and an instant that is none are refused', () => {
  assert.throws(() => dayOfChanges({ ...options, to: options.from }), RangeError)
  assert.throws(() => dayOfChanges({ ...options, from: 'yesterday' }), RangeError)
})
