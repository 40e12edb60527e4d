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

  function importRows(content: string | Buffer, into: string, ...more: string[]) {
    writeFileSync(file, content)
    return dray(home, ['import', 'csv', file, '--into', into, ...more])
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
    assert.match(stdout, /^Imported 2 rows into shop\.things in [\d.]+ s\. The table was made, with text columns\.\n/)
    assert.match(
      stdout,
      /read as utf-8, delimiter comma, quote ", escaped by a quote, lines end in LF, NULL is an empty field/,
    )
    assert.deepEqual(rows('select * from things'), [
      { a: '1', b: 'Ä' },
      { a: null, b: '' },
    ])
  })

  it('asks for the columns of a file without a header, and takes them', async () => {
    const { stderr } = await importRows('1,x\n2,y\n', 'shop.headless')
    assert.match(stderr, /its first line has "1".*--columns '<name 1>,<name 2>'/)

    const { code } = await importRows('above\n1,x\n2,y\n', 'shop.headless', '--columns', 'a, b', '--skip-lines', '1')

    assert.equal(code, 0)
    assert.deepEqual(rows('select * from headless'), [
      { a: '1', b: 'x' },
      { a: '2', b: 'y' },
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

    assert.match(stdout, /^Imported 1 row into shop\.numbers in [\d.]+ s\.\n/)
    assert.deepEqual(rows('select n from numbers'), [{ n: '1' }, { n: '2' }])
  })

  it('imports nothing when a line is malformed, and names the line', async () => {
    const { code, stderr } = await importRows(`n,m\n${'1,2\n'.repeat(3000)}3\n`, 'shop.broken')

    assert.equal(code, 1)
    assert.match(stderr, /^dray: .*rows\.csv, line 3002: .*\n$/)
    assert.deepEqual(rows("select name from sqlite_master where name = 'broken'"), [])
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

  it('says in one JSON document what became of the rows, and how the file was read', async () => {
    const { code, stdout } = await importRows('id;name\r\n201;Ada\r\n202;\r\n', 'shop.customers', '--json')

    const { seconds, rows_per_second, sha256, ...document } = JSON.parse(stdout)
    assert.equal(code, 0)
    assert.ok(seconds > 0 && rows_per_second > 0 && /^[0-9a-f]{64}$/.test(sha256))
    assert.deepEqual(document, {
      version: 1,
      status: 'success',
      file,
      database: 'shop',
      table: 'customers',
      mode: 'append',
      created: null,
      read: 2,
      inserted: 2,
      updated: 0,
      unchanged: 0,
      filtered: 0,
      duplicate: 0,
      quarantined: 0,
      deleted: 0,
      bytes: 24,
      format: {
        encoding: 'utf-8',
        delimiter: ';',
        quote: '"',
        escape: 'quote',
        line_ends: 'CRLF',
        null: [''],
        quoted_null: false,
      },
      notes: [],
    })
  })

  it('says in the document of a refusal which lines are at fault', async () => {
    const { code, stdout } = await importRows('id,name\n301,a\nx,b\n303,c\ny,d\n', 'shop.customers', '--json')

    const document = JSON.parse(stdout)
    assert.equal(code, 1)
    assert.equal(document.status, 'refused')
    assert.deepEqual(
      document.at_fault.map(({ line, column }: { line: number; column: string }) => [line, column]),
      [
        [3, 'id'],
        [5, 'id'],
      ],
    )
    assert.deepEqual(rows('select id from customers where id > 300'), [])
  })

  it('reads a file as the options say', async () => {
    const german = Buffer.from("n|m\nM\u00fcller|-\n'a|b'|2\n", 'latin1')

    const { code, stderr } = await importRows(
      german,
      'shop.said',
      ...['--delimiter', 'pipe', '--quote', "'", '--encoding', 'windows-1252', '--null', '-'],
    )

    assert.equal(code, 0, stderr)
    assert.deepEqual(rows('select * from said'), [
      { n: 'Müller', m: null },
      { n: 'a|b', m: '2' },
    ])
  })

  it('refuses an option that is no character, and an encoding that nobody knows', async () => {
    const delimiter = await importRows('a\n1\n', 'shop.no', '--delimiter', 'commas')
    const encoding = await importRows('a\n1\n', 'shop.no', '--encoding', 'utf-9')

    assert.deepEqual([delimiter.code, encoding.code], [2, 2])
    assert.match(delimiter.stderr, /--delimiter commas is not one character.*semicolon/)
    assert.match(encoding.stderr, /--encoding utf-9 is no encoding.*windows-1252/)
  })
})
