import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openCsv } from 'dray-infra/internal/local/csv/rows.ts'

const folder = mkdtempSync(join(tmpdir(), 'dray-csv-'))

function fileOf(content: string | Buffer): string {
  const file = join(folder, 'rows.csv')
  writeFileSync(file, content)
  return file
}

async function readAll(file: string) {
  const csv = await openCsv(file)
  return { header: csv.header, rows: await Array.fromAsync(csv.rows) }
}

describe('a CSV file', () => {
  after(() => rmSync(folder, { recursive: true }))

  it('is read record by record, each with the line on which it begins', async () => {
    const { header, rows } = await readAll(fileOf('id,name\n1,"Luís\nGonçalves"\n2,"says ""hi"""\n'))

    assert.deepEqual(header, ['id', 'name'])
    assert.deepEqual(rows, [
      { line: 2, fields: ['1', 'Luís\nGonçalves'] },
      { line: 4, fields: ['2', 'says "hi"'] },
    ])
  })

  it('names the line of bytes that are not UTF-8', async () => {
    const latin1 = Buffer.from('id,name\n1,a\n2,M\u00fcller\n3,b\n', 'latin1')

    await assert.rejects(readAll(fileOf(latin1)), { name: 'Terminal', message: /rows\.csv, line 3/ })
  })

  it('is asked for by its path, and a folder is none', async () => {
    await assert.rejects(readAll(join(folder, 'missing.csv')), {
      name: 'Configuration',
      message: /missing\.csv \(ENOENT\)/,
    })
    await assert.rejects(readAll(folder), { name: 'Configuration', message: /is not a file/ })
  })
})
