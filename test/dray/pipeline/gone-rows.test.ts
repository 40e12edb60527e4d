import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { Database } from 'dray/internal/active-record/database.ts'
import { bigint, text } from 'dray/internal/active-record/field-kinds.ts'
import { BlockEncoder } from 'dray/internal/block/copy-text.ts'
import { PostgresConnection } from 'dray/internal/database/postgres/connection.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { GoneRows } from 'dray/internal/pipeline/landing/gone-keys.ts'
import { onEachEngine } from './engines.ts'

const target = new Database('gone-rows')
class Item extends target.table('item', { id: bigint().primaryKey(), name: text().nullable() }) {}
const items = pipeline('items', {
  extract: fullLoad(Item),
  transform: (item) => ({ ...item }),
  load: upsert(Item, { by: 'id' }),
  deletes: { hard: true },
}) as unknown as Pipeline

onEachEngine('rows that are gone, of many', [target], (engine) => {
  const { signal } = new AbortController()

  function* keys() {
    const encoder = new BlockEncoder()
    for (let id = 3; id <= 1_000; id++) {
      const full = encoder.push([String(id)])
      if (full !== null) yield full
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }

  for (const [what, gone] of [
    ['those whose key the source does not have', 2],
    ['those of keys that are told', 998],
  ] as const) {
    test(`${what} are counted by a join, not by a look at all keys for each row`, async () => {
      await Item.createTable()
      await Item.insertAll(Array.from({ length: 1_000 }, (_, place) => ({ id: BigInt(place + 1), name: 'x' })))
      const query = mock.method(PostgresConnection.prototype, 'query')

      const { counted, plan } = await target
        .transaction(async () => {
          const rows = gone === 2 ? await GoneRows.among(items, keys, signal) : await GoneRows.of(items, keys, signal)
          const counted = await rows.count(signal)
          const [asked = ''] = query.mock.calls.at(-1)?.arguments ?? []
          const plan = engine.dialect === 'postgres' ? (await target.query(`explain ${asked}`)).rows.join('\n') : ''
          return { counted, plan }
        })
        .finally(() => query.mock.restore())

      assert.deepEqual(counted, { rows: 1_000, gone })
      assert.doesNotMatch(plan, /SubPlan/)
    })
  }
})
