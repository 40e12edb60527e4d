import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { database, decimal, integer, json } from 'dray'

test('SQLite makes no other number of JSON, in a column whose type it takes for that of numbers', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dray-texts-'))
  process.env.TEXTS_DATABASE_URL = `sqlite:${join(folder, 'texts.db')}`
  const shop = database('texts')
  t.after(async () => {
    await shop.close()
    await rm(folder, { recursive: true })
  })
  await shop.query('create table price (id integer primary key, amount numeric, body json)')
  class Price extends shop.table('price', { id: integer().primaryKey(), amount: decimal(10, 2), body: json() }) {}

  const given = [
    { id: 1, amount: '1.50', body: '{"a":1.50}' },
    { id: 2, amount: '7', body: '1.50' },
  ]
  const { inserted, rejected } = await Price.upsertAll(given as never[], { by: 'id' })

  assert.deepEqual([inserted, rejected.map(({ row }) => row)], [1, [1]])
  const { rows } = await shop.query('select cast(amount as text), body from price')
  assert.deepEqual(rows, [['1.5', '{"a":1.50}']])
})
