import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import type { KeptRow } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { inOrder } from 'dray/internal/pipeline/quarantine/replay-order.ts'

const source = database('replay-order')
class Item extends source.source('item', { id: bigint().primaryKey(), changedAt: timestamp().nullable() }) {}

const kept = (id: string, changedAt: string | null) => ({ row: { id, changed_at: changedAt } }) as unknown as KeptRow
const idsOf = (rows: readonly KeptRow[]) => rows.map(({ row }) => row.id)

test('rows are replayed in the order of their cursor, whatever its form, and then of their key', () => {
  const rows = [
    kept('9', '2024-03-01 00:00:00.5'),
    kept('10', '2024-02-01T00:00:00Z'),
    kept('9', '2024-02-01 00:00:00'),
    kept('1', '0000-00-00 00:00:00'),
    kept('2', null),
    kept('3', '2024-03-01 00:00:00'),
  ]

  assert.deepEqual(idsOf(inOrder(changedSince(Item, { cursor: 'changedAt' }), rows)), ['1', '2', '9', '10', '3', '9'])
  assert.deepEqual(idsOf(inOrder(fullLoad(Item), rows)), ['1', '2', '3', '9', '9', '10'])
})
