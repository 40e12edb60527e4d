import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { dray, temporaryHome } from './dray-process.ts'

describe('dray import csv', () => {
  const { home, remove } = temporaryHome()
  const file = join(home, 'rows.csv')
  const database = join(home, 'shop.db')

  before(() => writeFileSync(database, ''))
  after(remove)

  function importRows(content: string, into: string) {
    writeFileSync(file, content)
    return dray(home, ['import', 'csv', file, '--into', into])
  }

  function rows(sql: string) {
    const opened = new DatabaseSync(database)
    try {
      return opened
        .prepare(sql)
        .all()
        .map((row) => ({ ...row }))
    } finally {
      opened.close()
    }
  }

  it('makes a missing table with text columns and says how many rows came', async () => {
    const { code, stdout, stderr } = await importRows('a,b\n1,Ä\n,""\n', 'shop.things')

    assert.equal(code, 0, stderr)
    assert.match(stdout, /^Imported 2 rows into shop\.things in [\d.]+ s\. The table was made, with text columns\.\n$/)
    assert.deepEqual(rows('select * from things'), [
      { a: '1', b: 'Ä' },
      { a: null, b: '' },
    ])
  })

  it('makes a missing table as its model says', async () => {
    const { stdout } = await importRows('id,name\n7,Ada\n', 'shop.customers')

    assert.match(stdout, /The table was made from its model\./)
    assert.deepEqual(rows('select id, name, email from customers'), [{ id: 7, name: 'Ada', email: null }])
  })

  it('adds to a table that is there', async () => {
    await importRows('n\n1\n', 'shop.numbers')

    const { stdout } = await importRows('n\n2\n', 'shop.numbers')

    assert.match(stdout, /^Imported 1 row into shop\.numbers in [\d.]+ s\.\n$/)
    assert.deepEqual(rows('select n from numbers'), [{ n: '1' }, { n: '2' }])
  })

  it('imports nothing when a line is malformed, and names the line', async () => {
    const { code, stderr } = await importRows(`n,m\n${'1,2\n'.repeat(3000)}3\n`, 'shop.broken')

    assert.equal(code, 1)
    assert.match(stderr, /^dray: .*rows\.csv, line 3002: .*\n$/)
    assert.deepEqual(rows('select * from broken'), [])
  })

  it('imports nothing when the database refuses a row, and names its line', async () => {
    const { code, stderr } = await importRows('id,name\n100,a\n101,b\n100,c\n', 'shop.customers')

    assert.equal(code, 1)
    assert.match(stderr, /^dray: .*rows\.csv, line 4: .*\n$/)
    assert.deepEqual(rows('select id from customers where id >= 100'), [])
  })

  it('refuses a header with columns that the table has not', async () => {
    const { code, stderr } = await importRows('id,nmae\n1,a\n', 'shop.customers')

    assert.equal(code, 2)
    assert.match(stderr, /shop\.customers has no column nmae.*its columns are id, name, email/)
  })

  it('refuses a header that names a column twice, and an empty file', async () => {
    const twice = await importRows('a,a\n1,2\n', 'shop.twice')
    const empty = await importRows('', 'shop.empty')

    assert.deepEqual([twice.code, empty.code], [2, 2])
    assert.match(twice.stderr, /names the column a twice/)
    assert.match(empty.stderr, /is empty/)
  })
})
