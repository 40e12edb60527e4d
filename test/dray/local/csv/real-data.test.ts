import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { onEachEngine } from '#test/pipeline/engines.ts'
import { sharedData, withoutSharedData } from '#test/shared-data.ts'

const shop = database('real-files')

type Rows = readonly (readonly (string | null)[])[]

/** RFC 4180, but for NULL, which is an empty field without quotes. */
function csvOf(rows: Rows, delimiter: string, end: string): string {
  const field = (value: string | null) => {
    if (value === null) return ''
    return value === '' || /["\r\n,;\t\\]|^\s|\s$/.test(value) || value === 'NULL'
      ? `"${value.replaceAll('"', '""')}"`
      : value
  }
  return rows.map((row) => row.map(field).join(delimiter) + end).join('')
}

const inHex = (rows: Rows) =>
  rows.map((row) => row.map((value) => (value === null ? null : Buffer.from(value).toString('hex').toUpperCase())))
const inOrder = (rows: Rows) => rows.map((row) => JSON.stringify(row)).sort()

onEachEngine('real data by way of CSV', [shop], (engine) => {
  const quote = engine.dialect === 'mysql' ? '`' : '"'
  const hex = (name: string) =>
    engine.dialect === 'postgres'
      ? `upper(encode(convert_to(${quote}${name}${quote}, 'UTF8'), 'hex'))`
      : `case when ${quote}${name}${quote} is not null then hex(${quote}${name}${quote}) end`

  async function held(table: string, columns: readonly string[]): Promise<Rows> {
    return (await shop.query(`select ${columns.map(hex).join(', ')} from ${quote}${table}${quote}`)).rows
  }

  test('every table of Chinook is as it was', { skip: withoutSharedData }, async () => {
    const chinook = new DatabaseSync(sharedData('chinook/sqlite.db'), { readOnly: true })
    const tables = chinook
      .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite%'")
      .all()
    assert.ok(tables.length >= 11)
    const file = join(engine.harness.folder, 'table.csv')
    for (const [index, { name }] of tables.entries()) {
      const table = String(name)
      const columns = chinook
        .prepare('select name from pragma_table_info(?)')
        .all(table)
        .map((one) => String(one.name))
      const texts = columns.map((column) => `cast("${column}" as text) as "${column}"`).join(', ')
      const rows = chinook
        .prepare(`select ${texts} from "${table}"`)
        .all()
        .map((row) => columns.map((column) => row[column] as string | null))
      const delimiter = [',', ';', '\t'][index % 3] as string
      const text = csvOf([columns, ...rows], delimiter, index % 2 === 0 ? '\n' : '\r\n')
      const isUtf16 = index % 4 === 3
      await writeFile(file, isUtf16 ? Buffer.from(`\ufeff${text}`, 'utf16le') : text)

      const { read, inserted } = await importCsv({ file, database: shop, table })

      assert.deepEqual([read, inserted], [rows.length, rows.length], table)
      assert.deepEqual(inOrder(await held(table, columns)), inOrder(inHex(rows)), table)
    }
    chinook.close()
  })

  test('every naughty string is as it was', { skip: withoutSharedData }, async () => {
    const strings: string[] = JSON.parse(readFileSync(sharedData('naughty-strings/blns.json'), 'utf8'))
    const rows = strings.map((text, index) => [`${index}`, text])
    const file = join(engine.harness.folder, 'naughty.csv')
    for (const [table, delimiter] of [
      ['commas', ','],
      ['tabs', '\t'],
    ] as const) {
      await writeFile(file, csvOf([['id', 'text'], ...rows], delimiter, '\n'))

      await importCsv({ file, database: shop, table })

      assert.deepEqual(inOrder(await held(table, ['id', 'text'])), inOrder(inHex(rows)))
    }
  })
})
