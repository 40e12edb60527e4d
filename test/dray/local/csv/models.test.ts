import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  boolean,
  date,
  decimal,
  double,
  text,
  timestamp,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import { nextTable } from 'dray/internal/pipeline/landing/next-table.ts'
import { type CsvImport, importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { onEachEngine } from '#test/pipeline/engines.ts'

const shop = database('modelled-shop')

shop.table('sale', {
  id: bigint().primaryKey(),
  amount: decimal(10, 2).nullable(),
  soldAt: timestamp().nullable(),
  day: date().nullable(),
  weight: double().nullable(),
  isPaid: boolean().nullable(),
  label: varchar(5).nullable().notBlank(),
  note: text().nullable(),
})

const HEADER = 'id,amount,sold_at,day,weight,is_paid,label,note'

onEachEngine('a file for a model', [shop], (engine) => {
  let file: string
  beforeEach(() => {
    file = join(engine.harness.folder, 'rows.csv')
  })

  async function importing(text: string, options: Partial<CsvImport> = {}) {
    await writeFile(file, text)
    return importCsv({ file, database: shop, table: 'sale', ...options })
  }

  const ids = async (table = 'sale') =>
    (await shop.query(`select id, note from ${table} order by id`)).rows.map((row) => [...row])

  const isThere = async (table: string) =>
    (await shop.withConnection((connection) => connection.describe(table))) !== null

  test('makes its table, with every value as the model casts it', async () => {
    const imported = await importing(
      `${HEADER}\n 1 ,1.50,2024-01-01T12:00:00.123456+02:00,2024-02-29,0.1,TRUE,abc,x\n2,,,,,,,\n`,
    )

    assert.equal(imported.created, 'model')
    const moment = { sqlite: 'sold_at', postgres: `to_char(sold_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')` }
    const shown = { ...moment, mysql: 'cast(sold_at as char)' }[engine.dialect]
    const paid = engine.dialect === 'postgres' ? 'is_paid::int' : 'is_paid'
    const { rows } = await shop.query(`select id, amount, ${shown}, day, weight, ${paid}, label from sale order by id`)
    assert.deepEqual(rows[0], ['1', '1.50', '2024-01-01 10:00:00.123456', '2024-02-29', '0.1', '1', 'abc'])
    assert.deepEqual(rows[1]?.slice(1), [null, null, null, null, null, null])
  })

  for (const [what, fields, column] of [
    ['a fraction in a whole number', '1.7,,,,,,,', /id/i],
    ['a whole number beyond 64 bits', '18446744073709551596,,,,,,,', /id/i],
    ['more digits of a decimal than there is place for', '2,1.239,,,,,,', /amount/i],
    ['a decimal comma', '2,"1,5",,,,,,', /amount/i],
    ['seven digits of a second', '2,,2024-01-01 12:00:00.1234567,,,,,', /sold/i],
    ['a day before the month, or behind it', '2,,,11/12/2024,,,,', /day/i],
    ['a day that the calendar has not', '2,,,2023-02-29,,,,', /day/i],
    ['a time in a date', '2,,,2024-01-01 12:00:00,,,,', /day/i],
    ['digits that a double has no place for', '2,,,,0.1234567890123456789,,,', /weight/i],
    ['a hexadecimal number', '2,,,,0x10,,,', /weight/i],
    ['a word for a truth value', '2,,,,,perhaps,,', /paid/i],
    ['text that is too long', '2,,,,,,abcdef,', /label.*at most 5/i],
    ['a rule that is broken', '2,,,,,,"  ",', /label/i],
    ['no key', ',,,,,,,', /id/i],
  ] as const) {
    test(`refuses the file for ${what}, and leaves no table`, async () => {
      await assert.rejects(importing(`${HEADER}\n1,,,,,,,\n${fields}\n`), ({ message }: Error) => {
        assert.match(message, /rows\.csv, line 3: .*nothing is imported/)
        assert.match(message, column)
        return true
      })
      assert.equal(await isThere('sale'), false)
      assert.equal(await isThere(nextTable('sale')), false)
    })
  }

  test('appends: refuses a key that is there, and leaves the table as it was', async () => {
    await importing('id,note\n1,x\n2,y\n')

    await assert.rejects(importing('id,note\n3,z\n2,other\n'), /line 3: .*nothing is imported/)

    assert.deepEqual(await ids(), [
      ['1', 'x'],
      ['2', 'y'],
    ])
  })

  test('upserts: counts what was new, other and equal, and leaves columns that the file has not', async () => {
    await importing(`id,label,note\n1,a,x\n2,b,y\n3,c,z\n`)

    const { read, inserted, updated, unchanged, duplicate } = await importing(
      `id,note\n2,y\n3,other\n4,new\n4,newer\n`,
      { mode: 'upsert' },
    )

    assert.deepEqual(
      { read, inserted, updated, unchanged, duplicate },
      { read: 4, inserted: 1, updated: 1, unchanged: 1, duplicate: 1 },
    )
    const { rows } = await shop.query('select id, label, note from sale order by id')
    assert.deepEqual(rows, [
      ['1', 'a', 'x'],
      ['2', 'b', 'y'],
      ['3', 'c', 'other'],
      ['4', null, 'newer'],
    ])
  })

  test('replaces all rows, or none', async () => {
    await importing('id,note\n1,x\n2,y\n')

    await assert.rejects(importing('id,note\n3,z\n4.5,w\n', { mode: 'replace' }), /line 3/)
    assert.deepEqual(await ids(), [
      ['1', 'x'],
      ['2', 'y'],
    ])
    await assert.rejects(importing('id,note\n', { mode: 'replace' }), /its 2 rows stay.*--allow-empty/)
    assert.deepEqual(await ids(), [
      ['1', 'x'],
      ['2', 'y'],
    ])

    const { inserted, deleted } = await importing('id,note\n2,z\n', { mode: 'replace' })
    assert.deepEqual({ inserted, deleted }, { inserted: 1, deleted: 2 })
    assert.deepEqual(await ids(), [['2', 'z']])

    await importing('id,note\n', { mode: 'replace', allowEmpty: true })
    assert.deepEqual(await ids(), [])
  })

  test('refuses to replace rows to which another table refers, and to write over rows without a key', async () => {
    await importing('id,note\n1,x\n')
    const key = { sqlite: 'integer', postgres: 'bigint', mysql: 'bigint' }[engine.dialect]
    await shop.query(`create table part (sale_id ${key}, foreign key (sale_id) references sale (id) on delete cascade)`)
    await shop.query('insert into part values (1)')

    await assert.rejects(importing('id,note\n2,y\n', { mode: 'replace' }), /part refers to it.*--mode upsert/)
    await assert.rejects(importing('sale_id\n1\n', { table: 'part', mode: 'upsert' }), /no primary key.*--by/)
    assert.deepEqual((await shop.query('select sale_id from part')).rows, [['1']])
  })

  test('knows a file that comes again: append refuses it, upsert finds every row unchanged', async () => {
    await importing('id,note\n1,x\n')

    await assert.rejects(importing('id,note\n1,x\n'), /the same file was imported into modelled-shop\.sale before/)
    const again = await importing('id,note\n1,x\n', { mode: 'upsert' })

    assert.deepEqual([again.unchanged, again.inserted], [1, 0])
    assert.match(again.notes.join(), /the same file was imported/)
    assert.deepEqual(await ids(), [['1', 'x']])
  })

  test('takes a file that comes again where that is said, and knows another one of its length', async () => {
    await shop.query('create table plain (n varchar(9))')
    const into = { table: 'plain' }
    await importing('n\n1\n', into)

    await assert.rejects(importing('n\n1\n', into), /the same file was imported.*--mode upsert.*--again/)
    const other = await importing('n\n2\n', into)
    const again = await importing('n\n1\n', { ...into, again: true })

    assert.deepEqual(other.notes, [])
    assert.match(again.notes.join(), /the same file was imported/)
    assert.deepEqual((await shop.query('select n from plain order by n')).rows, [['1'], ['1'], ['2']])
  })

  test('does not know a file that was refused, or whose table is gone', async () => {
    await assert.rejects(importing('id,note\n1,x\n1,y\n'))
    await importing('id,note\n1,x\n')
    await shop.query('drop table sale')

    const { inserted, notes } = await importing('id,note\n1,x\n')

    assert.deepEqual([inserted, notes], [1, []])
  })

  test('takes rows whose parent comes later in the file', async () => {
    const key = engine.dialect === 'sqlite' ? 'integer' : 'bigint'
    await shop.query(
      `create table node (id ${key} not null primary key, parent ${key}, foreign key (parent) references node (id))`,
    )
    // Else SQLite looks through the table for children of each row, as long as one waits for its parent.
    await shop.query('create index node_parent on node (parent)')
    const children = Array.from({ length: 60_000 }, (_, row) => `${row + 2},${row === 0 ? 1 : ''}`)

    const { inserted } = await importing(`id,parent\n${children.join('\n')}\n1,\n`, { table: 'node' })

    assert.equal(inserted, 60_001)
    assert.deepEqual((await shop.query('select count(*), max(parent) from node')).rows, [['60001', '1']])
  })
})

onEachEngine('a file for a table without a model', [shop], (engine) => {
  let file: string
  beforeEach(async () => {
    file = join(engine.harness.folder, 'rows.csv')
    const local = engine.dialect === 'mysql' ? 'datetime(6)' : 'timestamp'
    await shop.query(`create table plain (id bigint, local ${local}, day date)`)
  })

  const skip = engine.dialect === 'sqlite' && 'the columns keep any text as it is'
  for (const [what, fields] of [
    ['an offset that the column would drop', ',2024-01-01 12:00:00+02:00,'],
    ['a zone that the column would drop', ',2024-01-01 12:00:00Z,'],
    ['digits that the column would round', ',2024-01-01 12:00:00.1234567,'],
    ['a moment in the order of another country', ',11/12/2024 10:00,'],
    ['a day in the order of another country', ',,11/12/2024'],
    ['a time that a date would drop', ',,2024-01-01 12:00:00'],
  ] as const) {
    test(`is refused for ${what}`, { skip }, async () => {
      await writeFile(file, `id,local,day\n1,2024-01-01 12:00:00.5,2024-01-01\n${fields}\n`)

      await assert.rejects(importCsv({ file, database: shop, table: 'plain' }), /line 3: .*nothing is imported/)
      assert.deepEqual((await shop.query('select * from plain')).rows, [])
    })
  }

  test('refuses a whole number that its column could not hold', async () => {
    await writeFile(file, 'id\n1\n18446744073709551596\n')

    await assert.rejects(importCsv({ file, database: shop, table: 'plain' }), /line 3: /)
    assert.deepEqual((await shop.query('select * from plain')).rows, [])
  })
})
