import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { closeDatabases, database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import type { GivenFormat } from 'dray-infra/internal/local/csv/format.ts'
import { IMPORT_MODES, importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { openCsv } from 'dray-infra/internal/local/csv/rows.ts'
import fc from 'fast-check'
import { cases, unlessRefused } from './refusals.ts'

const folder = mkdtempSync(join(tmpdir(), 'dray-fuzz-csv-'))
const file = join(folder, 'rows.csv')
const shop = database('fuzzed-shop')
process.env[urlVariable('fuzzed-shop')] = 'sqlite::memory:'
after(async () => {
  await closeDatabases()
  rmSync(folder, { recursive: true })
})

const token = fc.constantFrom(
  ...[
    ',',
    ',',
    ',',
    '\n',
    '\n',
    '\n',
    ';',
    '\t',
    '|',
    '"',
    '""',
    "'",
    '\\',
    '\\N',
    '\\"',
    '\r',
    '\r\n',
    'NULL',
    '\u0000',
  ],
  ...[
    '\ufdd0',
    '\ufeff',
    ' ',
    'id',
    'name',
    '1',
    '2',
    '-0',
    '1e400',
    'ä',
    '😀',
    '\u202e',
    '__proto__',
    '"a,\nb"',
    '=cmd()',
  ],
)
const text = fc.array(token, { maxLength: 60 }).map((tokens) => tokens.join(''))
const table = fc.array(
  text.map((cell) => cell.replace(/[\n\r]/g, '')),
  { maxLength: 8 },
)
const bytes: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: text.map((one) => Buffer.from(one)) },
  { weight: 2, arbitrary: text.map((one) => Buffer.from(one, 'utf16le')) },
  {
    weight: 8,
    arbitrary: table.map((cells) => Buffer.from(`id,name\n${cells.map((cell, row) => `${row},${cell}\n`).join('')}`)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(text, fc.uint8Array({ maxLength: 20 }))
      .map(([one, more]) => Buffer.concat([Buffer.from(`id,name\n${one}`), more])),
  },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 400 }).map((one) => Buffer.from(one)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(token, fc.integer({ min: 1_000, max: 20_000 }))
      .map(([one, times]) => Buffer.from(one.repeat(times))),
  },
)
const given: fc.Arbitrary<GivenFormat> = fc.record(
  {
    delimiter: fc.constantFrom(',', ';', '\t', '"'),
    quote: fc.constantFrom('"', "'", null),
    escape: fc.constantFrom('"', '\\', null),
    lineEnds: fc.constantFrom('lf', 'crlf', 'cr', 'any'),
    nulls: fc.array(fc.constantFrom('', '\\N', 'NULL'), { maxLength: 2 }),
    encoding: fc.constantFrom('utf-8', 'windows-1252', 'utf-16le', 'no-encoding', ''),
  },
  { requiredKeys: [] },
)

test('a CSV file of any bytes is read whole, each row as wide as its header, or refused', async () => {
  await fc.assert(
    fc.asyncProperty(bytes, given, async (content, format) => {
      writeFileSync(file, content)
      const read = await unlessRefused(async () => {
        const csv = await openCsv(file, { given: format })
        return { width: csv.header.length, rows: await Array.fromAsync(csv.rows) }
      })
      assert.ok(read === null || read.rows.every(({ fields }) => fields.length === read.width))
    }),
    cases(),
  )
})

test('a CSV file of any bytes is in the table whole, or nothing of it is', async () => {
  await shop.query('create table item (id integer not null primary key, name text)')

  await fc.assert(
    fc.asyncProperty(bytes, given, fc.constantFrom(...IMPORT_MODES), async (content, format, mode) => {
      writeFileSync(file, content)
      await shop.query('delete from item')
      await shop.query("insert into item values (1000000, 'before')")
      const imported = await unlessRefused(() =>
        importCsv({ file, database: shop, table: 'item', mode, given: format, again: true }),
      )
      const [[count, before] = []] = (
        await shop.query('select count(*), count(*) filter (where id = 1000000) from item')
      ).rows
      const left = mode === 'replace' && imported !== null ? 0 : 1
      assert.equal(Number(count), (imported?.inserted ?? 0) + left)
      assert.equal(Number(before), left)
      if (imported !== null) {
        const { read, inserted, updated, unchanged, duplicate } = imported
        assert.equal(read, inserted + updated + unchanged + duplicate)
      }
    }),
    cases(),
  )
})

test('a CSV file of any bytes makes a table with all of its rows, or none', async () => {
  await fc.assert(
    fc.asyncProperty(bytes, async (content) => {
      writeFileSync(file, content)
      await shop.query('drop table if exists made')
      const imported = await unlessRefused(() => importCsv({ file, database: shop, table: 'made' }))
      const there = await shop.withConnection((connection) => connection.describe('made'))
      assert.equal(there === null, imported === null)
      if (imported === null) return
      assert.equal(Number((await shop.query('select count(*) from made')).rows[0]?.[0]), imported.read)
    }),
    cases(1 / 5),
  )
})
