import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { bigint, database, decimal, fullLoad, pipeline, text, timestamp, upsert } from 'dray'
import { closeDatabases } from 'dray/internal/active-record/database.ts'
import { decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import { besideTarget } from 'dray-infra/internal/page/beside.ts'

class Source extends database('beside_source').source('orders', {
  id: bigint().primaryKey(),
  name: text().nullable(),
  amount: decimal(14, 2).nullable(),
}) {}

class Target extends database('beside_target').table('orders', {
  id: bigint().primaryKey(),
  name: text().nullable(),
  amount: decimal(12, 2).nullable(),
  updatedAt: timestamp().nullable(),
}) {}

const orders = pipeline('orders', {
  extract: fullLoad(Source),
  transform: ({ id, name, amount }, { reject, runStartedAt }) => {
    if (name === null) return null
    if (name === 'bad') return reject('name', 'bad', 'no good name')
    return { id, name: name.toUpperCase(), amount, updatedAt: runStartedAt }
  },
  load: upsert(Target, { by: 'id' }),
})

describe('a kept row beside its target', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dray-beside-'))
  const at = timestampOf('2026-01-01T12:00:00Z')

  before(async () => {
    process.env.BESIDE_TARGET_DATABASE_URL = `sqlite:${join(folder, 'target.db')}`
    await Target.createTable()
    await Target.insertAll([
      { id: 1n, name: 'ANN', amount: decimalOf('10.50'), updatedAt: at },
      { id: 2n, name: 'BOB', amount: decimalOf('1.00'), updatedAt: at },
    ])
  })
  after(async () => {
    await closeDatabases()
    rmSync(folder, { recursive: true })
  })

  const of = (id: string, name: string | null, amount: string | null = null) =>
    besideTarget(
      orders,
      [
        ['id', id],
        ['name', name],
        ['amount', amount],
      ],
      at,
    )

  test('differs in the columns whose values would change, its key is known', async () => {
    const { outcome, isNew, columns } = await of('2', 'Rob', '1.00')

    assert.deepEqual([outcome, isNew], ['loaded', false])
    assert.deepEqual(
      columns.map(({ name, before: had, after: gets, isKey, differs }) => [name, had, gets, isKey, differs]),
      [
        ['id', '2', '2', true, false],
        ['name', 'BOB', 'ROB', false, true],
        ['amount', '1.00', '1.00', false, false],
        ['updated_at', '2026-01-01 12:00:00', '2026-01-01 12:00:00', false, false],
      ],
    )
  })

  test('is unchanged where the target has it already, in whatever spelling', async () => {
    const { outcome, columns } = await of('1', 'ann', '10.5')

    assert.deepEqual([outcome, columns.find(({ differs }) => differs)], ['unchanged', undefined])
  })

  test('is new where the target has no row of its key: nothing differs from it', async () => {
    const { outcome, isNew, columns } = await of('3', 'Eve')

    assert.deepEqual([outcome, isNew, columns.some(({ differs }) => differs)], ['loaded', true, false])
    assert.ok(columns.every(({ before: had }) => had === null))
  })

  test('is filtered or quarantined as the transform says now, and no target is asked', async () => {
    const filtered = await of('1', null)
    const rejected = await of('1', 'bad')

    assert.deepEqual([filtered.outcome, filtered.columns], ['filtered', []])
    assert.deepEqual([rejected.outcome, rejected.errors.map(({ code }) => code)], ['quarantined', ['bad']])
  })
})
