import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { onEachEngine } from '#test/pipeline/engines.ts'

const shop = database('imported-shop')

const TYPES = {
  postgres: { moment: 'timestamp(3)', amount: 'numeric(10,2)' },
  mysql: { moment: 'datetime(6)', amount: 'decimal(10,2)' },
  sqlite: { moment: 'text', amount: 'text' },
} as const

onEachEngine('a file that is imported', [shop], (engine) => {
  let file: string
  beforeEach(async () => {
    const { moment, amount } = TYPES[engine.dialect]
    file = join(engine.harness.folder, 'rows.csv')
    await shop.query(
      `create table item (id bigint not null primary key, number integer, at ${moment}, amount ${amount}, label varchar(20))`,
    )
  })

  async function imported(lines: readonly string[]): Promise<number> {
    await writeFile(file, ['id,number,at,amount,label', ...lines, ''].join('\n'))
    return (await importCsv({ file, database: shop, table: 'item' })).read
  }

  const held = async () => (await shop.query('select id, number, label from item order by id')).rows

  test('is in the table as it was written', async () => {
    const rows = await imported([
      '1,7,2024-01-01 12:00:00.123,1.25,"a,b"',
      '2,,,,""',
      '3,-1,2024-02-29 00:00:00,0.10,"\\N"',
    ])

    assert.equal(rows, 3)
    assert.deepEqual(await held(), [
      ['1', '7', 'a,b'],
      ['2', null, ''],
      ['3', '-1', '\\N'],
    ])
  })

  for (const [what, line] of [
    ['a number that would be rounded to a whole one', '2,1.7,,,'],
    ['no number at all', '2,seven,,,'],
    ['a moment of more digits than the column keeps', '2,1,2024-01-01 12:00:00.1234567,,'],
    ['an amount of more digits than the column keeps', '2,1,,1.239,'],
    ['the key of a row before it', '1,1,,,'],
  ] as const) {
    const isText = engine.dialect === 'sqlite' && /more digits/.test(what)
    test(`is refused whole for ${what}, with its line`, { skip: isText && 'a text keeps them' }, async () => {
      await assert.rejects(imported(['1,1,,,', line, '3,1,,,']), /rows\.csv, line 3: .*nothing is imported/)
      assert.deepEqual(await held(), [])
    })
  }
})
