import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { type Engine, onEachEngine } from '#test/pipeline/engines.ts'
import { KINDS } from './kinds.ts'

const shop = database('files-of-the-world')
const TABLE = 'from_file'

test('there are sixty kinds of files at least, each of another name', () => {
  assert.ok(new Set(KINDS.map(({ name }) => name)).size >= 60)
  assert.equal(new Set(KINDS.map(({ name }) => name)).size, KINDS.length)
})

/** The columns and rows of the table by the server's own account, as bytes in hexadecimal; null where there is none. */
async function held({ dialect }: Engine): Promise<(string | null)[][] | null> {
  const [names, quote, hex] = {
    sqlite: [`select name from pragma_table_info('${TABLE}') order by cid`, '"', (name: string) => `hex(${name})`],
    postgres: [
      `select attname from pg_attribute where attrelid = to_regclass('${TABLE}') and attnum > 0 order by attnum`,
      '"',
      (name: string) => `upper(encode(convert_to(${name}, 'UTF8'), 'hex'))`,
    ],
    mysql: [
      `select column_name from information_schema.columns where table_schema = database() and table_name = '${TABLE}' order by ordinal_position`,
      '`',
      (name: string) => `hex(${name})`,
    ],
  }[dialect] as [string, string, (name: string) => string]
  const columns = (await shop.query(names)).rows.map(([name]) => name ?? '')
  if (columns.length === 0) return null
  const quoted = columns.map((name) => quote + name.replaceAll(quote, quote + quote) + quote)
  // SQLite's hex(NULL) is the empty string.
  const values = quoted.map((name) => `case when ${name} is not null then ${hex(name)} end`)
  const { rows } = await shop.query(`select ${values.join(', ')} from ${TABLE}`)
  return [columns, ...inOrder(rows)]
}

function inOrder(rows: readonly (readonly (string | null)[])[]): (string | null)[][] {
  const ordered = rows.map((row) => ({ row: [...row], by: JSON.stringify(row) }))
  return ordered.sort((one, other) => (one.by < other.by ? -1 : 1)).map(({ row }) => row)
}

const inHex = (value: string | null) => (value === null ? null : Buffer.from(value).toString('hex').toUpperCase())

onEachEngine('a file of the world', [shop], (engine) => {
  for (const { name, bytes, given = {}, said = {}, holds, format = {}, notes, refused } of KINDS) {
    test(`${refused === undefined ? 'lands' : 'is refused'}: ${name}`, async () => {
      const file = join(engine.harness.folder, 'rows.csv')
      await writeFile(file, bytes)
      const importing = importCsv({ file, database: shop, table: TABLE, given, ...said })

      if (refused !== undefined) {
        await assert.rejects(importing, (error: Error) => {
          assert.match(error.message, refused)
          assert.match(error.message, /nothing is imported/)
          return true
        })
        assert.equal(await held(engine), null)
        return
      }

      const imported = await importing
      const [header = [], ...rows] = holds ?? []
      assert.deepEqual(await held(engine), [header, ...inOrder(rows.map((row) => row.map(inHex)))])
      assert.deepEqual([imported.read, imported.inserted], [rows.length, rows.length])
      assert.equal(imported.bytes, bytes.length)
      assert.deepEqual({ ...imported.format, ...format }, imported.format)
      assert.match(imported.notes.join('; '), notes ?? /^$/)
    })
  }
})
