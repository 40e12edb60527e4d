import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint } from 'dray/internal/active-record/field-kinds.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'

const shop = database('self-references')
let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dray-self-references-'))
  process.env[urlVariable(shop.name)] = `sqlite:${join(folder, 'shop.db')}`
})
after(async () => {
  await shop.close()
  await rm(folder, { recursive: true })
})

const ROWS = 2_000

class Node extends shop.table('node', {
  id: bigint().primaryKey(),
  parent: bigint().nullable(),
}) {}

/** The rows in the order in which they were written. */
async function written(parents: (id: number) => number | null): Promise<readonly string[]> {
  await shop.query('drop table if exists node')
  await shop.query('drop table if exists seen')
  await shop.query('create table node (id bigint primary key, parent bigint references node (id))')
  await shop.query('create table seen (place integer primary key, id bigint)')
  await shop.query('create trigger node_seen after insert on node begin insert into seen (id) values (new.id); end')
  const rows = Array.from({ length: ROWS }, (_, id) => ({ id: BigInt(id), parent: parents(id) }))

  const { inserted, rejected } = await Node.insertAll(
    rows.map(({ id, parent }) => ({ id, parent: parent === null ? null : BigInt(parent) })),
  )

  assert.deepEqual([inserted, rejected.map(({ row }) => row)], [ROWS - rejected.length, rejected.map(({ row }) => row)])
  return (await shop.query('select id from seen order by place')).rows.map(([id]) => id as string)
}

test('rows that refer to later ones are written behind them, so that SQLite does not look through the table for each', async () => {
  const order = await written((id) => (id + 1 < ROWS ? id + 1 : null))

  assert.deepEqual(
    order,
    Array.from({ length: ROWS }, (_, place) => String(ROWS - 1 - place)),
  )
})

test('rows in a circle, or that refer to themselves, are written all the same', async () => {
  const order = await written((id) => (id === 5 ? 5 : id === 10 ? 11 : id === 11 ? 10 : null))

  assert.equal(order.length, ROWS)
})

test('of rows whose parent is not there none is written, and all others are', async () => {
  const order = await written((id) => (id === 7 ? 1_000_000 : id % 2 === 0 ? null : id - 1))

  assert.equal(order.length, ROWS - 1)
  assert.ok(!order.includes('7'))
})
