import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { database, decimal, integer, json, text } from 'dray'

/** SQLite takes these types for those of numbers, since it goes by the letters of their names. */
const TYPES = ['STRING', 'JSON', 'DATETIME', 'UUID', 'NUMERIC', 'FLOAT', 'INTEGER']
const VALUES = ['007', '1e5', '1.50', '+1', ' 12', '0x1F', '12', '-3', '1.5', '9223372036854775808', 'Infinity', 'abc', '']

test('text in a column of SQLite that takes numbers is stored as it is, or quarantined', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dray-texts-'))
  process.env.TEXTS_DATABASE_URL = `sqlite:${join(folder, 'texts.db')}`
  const shop = database('texts')
  t.after(async () => {
    await shop.close()
    await rm(folder, { recursive: true })
  })
  for (const type of TYPES) {
    const table = `of_${type.toLowerCase()}`
    await shop.query(`create table ${table} (id integer primary key, body ${type})`)
    class Note extends shop.table(table, { id: integer().primaryKey(), body: text() }) {}

    const rows = VALUES.map((body, id) => ({ id, body }))
    const { inserted, rejected } = await Note.upsertAll(rows, { by: 'id' })

    const stored = await shop.query(`select id, cast(body as text) from ${table} order by id`)
    const refused = new Set(rejected.map(({ row }) => row))
    assert.deepEqual(
      stored.rows,
      rows.filter(({ id }) => !refused.has(id)).map(({ id, body }) => [String(id), body]),
      type,
    )
    assert.equal(inserted + rejected.length, VALUES.length)
    assert.ok([0, 1, 2, 3].every((id) => refused.has(id)), `${type}: ${[...refused].join()}`)
    assert.ok([5, 10, 11, 12].every((id) => !refused.has(id)), `${type}: ${[...refused].join()}`)
    assert.equal(await new Note({ id: 100, body: '007' }).save(), false, type)
  }
})

test('a number, and JSON that is one, in a column of SQLite that takes numbers', async (t) => {
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
