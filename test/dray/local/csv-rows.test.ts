import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type CsvRow, csvRows } from 'dray-infra/internal/local/csv-rows.ts'

const folder = mkdtempSync(join(tmpdir(), 'dray-csv-'))

function fileOf(content: string | Buffer): string {
  const file = join(folder, 'rows.csv')
  writeFileSync(file, content)
  return file
}

const rowsOf = (file: string): Promise<CsvRow[]> => Array.fromAsync(csvRows(file))

describe('csvRows', () => {
  after(() => rmSync(folder, { recursive: true }))

  it('reads records with the line on which each ends', async () => {
    const rows = await rowsOf(fileOf('id,name\n1,"Luís\nGonçalves"\n2,"says ""hi"""\n'))

    assert.deepEqual(rows, [
      { line: 1, fields: ['id', 'name'] },
      { line: 3, fields: ['1', 'Luís\nGonçalves'] },
      { line: 4, fields: ['2', 'says "hi"'] },
    ])
  })

  it('tells an empty field, which is NULL, from a quoted empty string', async () => {
    const [row] = await rowsOf(fileOf('1,,""\n'))

    assert.deepEqual(row?.fields, ['1', null, ''])
  })

  it('reads a file of a spreadsheet: byte order mark, CRLF', async () => {
    const rows = await rowsOf(fileOf('\ufeffid,name\r\n1,Ä\r\n'))

    assert.deepEqual(
      rows.map(({ fields }) => fields),
      [
        ['id', 'name'],
        ['1', 'Ä'],
      ],
    )
  })

  it('names the line of a record with too few or too many fields', async () => {
    await assert.rejects(rowsOf(fileOf('id,name\n1,a\n2\n')), { name: 'Terminal', message: /rows\.csv, line 3: / })
    await assert.rejects(rowsOf(fileOf('id,name\n1,a\n2,b,c\n')), { name: 'Terminal', message: /line 3: / })
  })

  it('refuses bytes that are not UTF-8 and names their line', async () => {
    const latin1 = Buffer.from('id,name\n1,a\n2,M\u00fcller\n3,b\n', 'latin1')

    await assert.rejects(rowsOf(fileOf(latin1)), {
      name: 'Terminal',
      message: /about line 3: bytes that are not UTF-8/,
    })
  })

  it('says that there is no such file', async () => {
    await assert.rejects(rowsOf(join(folder, 'missing.csv')), {
      name: 'Configuration',
      message: /missing\.csv \(ENOENT\)/,
    })
    await assert.rejects(rowsOf(folder), { name: 'Configuration', message: /is not a file/ })
  })
})
