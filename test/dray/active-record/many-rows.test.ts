import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { onEachEngine } from '#test/pipeline/engines.ts'

const shop = database('many-shop')

class Item extends shop.table('item', {
  id: bigint().primaryKey(),
  name: text(),
  at: timestamp(),
}) {}

const ROWS = 60_000
const [older, newer] = [timestampOf('2024-01-01 00:00:00'), timestampOf('2025-01-01 00:00:00')]
const item = (id: number, name: string, at = older) => ({ id: BigInt(id), name, at })
const many = (name: string, at = older) => Array.from({ length: ROWS }, (_, id) => item(id, name, at))

onEachEngine('many rows', [shop], () => {
  test('a refused row is named by its place in the input, in whatever order the versions are', async () => {
    await Item.createTable()
    const nameless = { ...item(2, '', older), name: null as never }

    const { inserted, rejected } = await Item.upsertAll([item(1, 'one', newer), nameless, item(3, 'three', older)], {
      by: 'id',
      version: 'at',
    })

    assert.deepEqual([inserted, rejected.map(({ row, errors }) => [row, errors[0]?.field])], [2, [[1, 'name']]])
  })

  for (const [far, between] of [
    ['beside each other', [] as ReturnType<typeof item>[]],
    ['60,000 rows apart', many('between')],
  ] as const) {
    test(`rows of one key are one row, the last or the newest of them, when they are ${far}`, async () => {
      await Item.createTable()
      const twice = [item(-1, 'first', newer), ...between, item(-1, 'last', older)]

      const last = await Item.upsertAll(twice, { by: 'id' })
      const afterLast = (await Item.find(-1n)).name
      await Item.deleteAll()
      const newest = await Item.upsertAll(twice, { by: 'id', version: 'at' })
      const afterNewest = (await Item.find(-1n)).name
      await Item.deleteAll()
      const inserted = await Item.insertAll(twice)

      const counts = { inserted: between.length + 1, updated: 0, unchanged: 0, duplicate: 1, rejected: [] }
      assert.deepEqual([last, newest, inserted], [counts, counts, counts])
      assert.deepEqual([afterLast, afterNewest, (await Item.find(-1n)).name], ['last', 'first', 'last'])
      assert.equal(await Item.count(), between.length + 1)
    })
  }
})
