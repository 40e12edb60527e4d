import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, decimal, integer, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { type CsvImport, importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { onEachEngine } from '#test/pipeline/engines.ts'

const shop = database('imports-by-mode')

class Item extends shop.table('item', {
  id: bigint().primaryKey(),
  label: varchar(5).notBlank(),
  pieces: integer().nullable(),
  price: decimal(6, 2).nullable(),
  at: timestamp().nullable(),
}) {}

const FIRST = 'id,label,pieces,price,at\n1,a,1,1.10,2024-01-01 00:00:00\n2,b,,,\n'

onEachEngine('an import', [shop], (engine) => {
  async function imported(content: string, options: Partial<CsvImport> = {}) {
    const file = join(engine.harness.folder, 'rows.csv')
    await writeFile(file, content)
    return importCsv({ file, database: shop, table: 'item', ...options })
  }

  const held = async () => (await shop.query('select id, label from item order by id')).rows

  test('that appends refuses a key that is there, with its line, and leaves the table as it was', async () => {
    await imported(FIRST)

    await assert.rejects(imported('id,label\n3,c\n2,other\n'), /line 3: .*nothing is imported/)

    assert.deepEqual(await held(), [
      ['1', 'a'],
      ['2', 'b'],
    ])
  })

  test('that upserts writes over what differs, and counts what became of each row', async () => {
    await imported(FIRST)

    const { read, inserted, updated, unchanged, duplicate } = await imported(
      'id,label\n1,a\n2,new\n3,c\n4,d\n4,last\n',
      { mode: 'upsert' },
    )

    assert.deepEqual(
      { read, inserted, updated, unchanged, duplicate },
      { read: 5, inserted: 2, updated: 1, unchanged: 1, duplicate: 1 },
    )
    assert.deepEqual(await held(), [
      ['1', 'a'],
      ['2', 'new'],
      ['3', 'c'],
      ['4', 'last'],
    ])
    assert.deepEqual((await shop.query('select pieces from item where id = 1')).rows, [['1']])
  })

  test('that replaces leaves the rows of the file and no others, or all that was there where a row is at fault', async () => {
    await imported(FIRST)

    await assert.rejects(imported('id,label\n7,g\n8,far too long\n', { mode: 'replace' }), /line 3: label/)
    const before = await held()
    const { deleted, inserted } = await imported('id,label\n7,g\n', { mode: 'replace' })

    assert.deepEqual(before, [
      ['1', 'a'],
      ['2', 'b'],
    ])
    assert.deepEqual([deleted, inserted], [2, 1])
    assert.deepEqual(await held(), [['7', 'g']])
  })

  test('that replaces does not empty a table for a file without rows, unless that is said', async () => {
    await imported(FIRST)

    await assert.rejects(imported('id,label\n', { mode: 'replace' }), /would leave .* empty.*--allow-empty/)
    const before = await held()
    await imported('id,label\n', { mode: 'replace', allowEmpty: true })

    assert.equal(before.length, 2)
    assert.deepEqual(await held(), [])
  })

  test('of the same file once more is refused, but where it is said or does no harm', async () => {
    await shop.query('create table note (n varchar(9))')
    const content = 'n\n1\n'
    const into = { table: 'note' }
    await imported(content, into)

    await assert.rejects(
      imported(content, into),
      /the same file was imported into .*note before.*--mode upsert.*--again/,
    )
    const other = await imported('n\n2\n', into)
    const again = await imported(content, { ...into, again: true })

    assert.deepEqual(other.notes, [])
    assert.match(again.notes.join(), /the same file was imported/)
    assert.deepEqual((await shop.query('select n from note order by n')).rows, [['1'], ['1'], ['2']])
  })

  test('makes a missing table when all rows are there, and leaves none behind otherwise', async () => {
    await assert.rejects(imported('id,label\n1,a\n1,b\n'), /line 3/)
    const after = await shop.withConnection((connection) => connection.describe('item'))
    const { created } = await imported('id,label\n1,a\n')

    assert.equal(after, null)
    assert.equal(created, 'model')
  })

  for (const [what, row, says] of [
    ['a number that is not whole', '1,a,1.7,,', /line 2: pieces/],
    ['a number that no bigint holds', '18446744073709551596,a,,,', /line 2: .*id/],
    ['digits that the model does not have', '1,a,,1.239,', /line 2: price.*2 of them/],
    ['a blank that the model forbids', '1, ,,,', /line 2: label/],
    ['a text that is too long', '1,abcdef,,,', /line 2: label.*at most 5/],
    ['a seventh digit of a second', '1,a,,,2024-01-01 12:00:00.1234567', /line 2: at/],
    ['a day in an order of its own', '1,a,,,11/28/2026 08:05:00', /line 2: at/],
  ] as const) {
    test(`is refused, with the line and the column, for ${what}`, async () => {
      await assert.rejects(imported(`id,label,pieces,price,at\n${row}\n`), says)

      assert.equal(await shop.withConnection((connection) => connection.describe('item')), null)
    })
  }

  test('keeps the moment of a time with an offset, by its model', async () => {
    await imported('id,label,at\n1,a,2024-01-01 12:00:00+02:00\n')

    assert.equal((await Item.find(1n)).at, '2024-01-01 10:00:00')
  })
})
