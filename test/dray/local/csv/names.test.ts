import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { type CsvImport, importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { onEachEngine } from '#test/pipeline/engines.ts'

const shop = database('named-shop')

shop.table('customer_dim', {
  id: bigint().primaryKey(),
  label: varchar(5).notBlank(),
  note: text().nullable(),
  seenAt: timestamp().touch(),
})

onEachEngine('a table by another name', [shop], (engine) => {
  let file: string
  let aliases: readonly string[]
  beforeEach(async () => {
    file = join(engine.harness.folder, 'rows.csv')
    if (engine.dialect === 'sqlite') aliases = ['main.NAME', 'NAME_IN_CAPITALS', '"NAME"']
    if (engine.dialect === 'postgres') aliases = ['public.NAME', '"public"."NAME"']
    if (engine.dialect === 'mysql') {
      const { rows } = await shop.query('select database()')
      aliases = [`${rows[0]?.[0]}.NAME`]
    }
  })

  const namesOf = (table: string) =>
    aliases.map((alias) => alias.replace('NAME_IN_CAPITALS', table.toUpperCase()).replace('NAME', table))

  async function importing(content: string, options: Partial<CsvImport> & { readonly table: string }) {
    await writeFile(file, content)
    return importCsv({ file, database: shop, ...options })
  }

  test('has its model, before it is made and when it is there', async () => {
    for (const table of namesOf('customer_dim')) {
      await assert.rejects(importing('id,label\n1,too long\n', { table }), /line 2: .*at most 5/)
      const { created } = await importing('id,label\n 1 ,a\n', { table })
      assert.equal(created, 'model')
      await assert.rejects(importing('id,label\n2,\n', { table }), /line 2: .*label/)
      assert.deepEqual((await shop.query('select id, seen_at is not null from customer_dim')).rows.length, 1)
      await shop.query('drop table customer_dim')
    }
  })

  test('has the files that were imported into it', async () => {
    await importing('n\n1\n2\n', { table: 'twice' })

    for (const table of namesOf('twice')) {
      await assert.rejects(importing('n\n1\n2\n', { table }), /the same file was imported/, table)
    }
    assert.deepEqual((await shop.query('select n from twice order by n')).rows, [['1'], ['2']])
  })

  test('takes one of two imports of a file at once, the first ones into the database', async () => {
    await shop.query('create table twice (n varchar(9))')
    await writeFile(file, 'n\n1\n2\n')

    const outcomes = await Promise.allSettled(
      Array.from({ length: 2 }, () => importCsv({ file, database: shop, table: 'twice' })),
    )

    assert.deepEqual((await shop.query('select n from twice order by n')).rows, [['1'], ['2']])
    const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    assert.equal(refused.length, 1)
    assert.match(refused[0].message, /the same file was imported.*nothing is imported/)
  })

  test('is said to have no schema, where it has none', async () => {
    await assert.rejects(importing('n\n1\n', { table: 'nowhere.plain' }), /has no schema "nowhere".*--into/)
  })

  test('is said to be too long, and where to write another', {
    skip: engine.dialect === 'sqlite' && 'names of any length',
  }, async () => {
    await assert.rejects(importing('n\n1\n', { table: 'x'.repeat(70) }), ({ message }: Error) => {
      assert.match(message, /is longer than 6[34].*give another name/)
      assert.doesNotMatch(message, /correct it in the model/)
      return true
    })
  })

  test('needs its key before an upsert can find its rows', async () => {
    for (const by of [{}, { by: ['n'] }]) {
      await assert.rejects(
        importing('n\n1\n', { table: 'keyless', mode: 'upsert', ...by }),
        /named-shop\.keyless is not there.*no key/,
      )
    }
    assert.equal(await shop.withConnection((connection) => connection.describe('keyless')), null)
  })

  test('says of keys that are there nothing but that', async () => {
    const key = engine.dialect === 'sqlite' ? 'integer' : 'bigint'
    await shop.query(`create table keyed (n ${key} not null primary key)`)
    await importing('n\n1\n2\n3\n', { table: 'keyed' })

    await assert.rejects(importing('n\n1\n2\n3\n', { table: 'keyed', again: true }), ({ message }: Error) => {
      assert.match(message, /line 2: .*line 3, 4; nothing is imported/)
      assert.doesNotMatch(message, /other rows of this load/)
      return true
    })
  })

  const isOther = engine.dialect === 'mysql' ? false : 'every table has transactions'
  test('leaves the rows of a table without transactions that is to be replaced', { skip: isOther }, async () => {
    await shop.query('create table plain (n varchar(9)) engine = MyISAM')
    await shop.query(`insert into plain values ('old')`)

    await assert.rejects(importing('n\n1\n', { table: 'plain', mode: 'replace' }), /MyISAM, which has no transactions/)

    assert.deepEqual((await shop.query('select n from plain')).rows, [['old']])
  })
})
