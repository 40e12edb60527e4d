import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, integer, text } from 'dray/internal/active-record/field-kinds.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import { applyPlans } from 'dray/internal/active-record/schema-apply.ts'
import { type PlanOptions, planTable } from 'dray/internal/active-record/schema-plan.ts'

/* What SQLite cannot alter is made anew from the text of the former table. */

describe('a table of SQLite that is made anew', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dray-altered-'))
  process.env.ALTERED_DATABASE_URL = `sqlite:${join(folder, 'x.db')}`
  const base = database('altered')
  after(async () => {
    await base.close()
    rmSync(folder, { recursive: true })
  })

  const rows = async (sql: string) => (await base.query(sql)).rows
  const textOf = async (table: string) => (await rows(`select sql from sqlite_schema where name = '${table}'`))[0]?.[0]
  const plan = (table: string, fields: Fields, renames: PlanOptions['renames'] = []) =>
    base.withConnection((connection, adapter) =>
      planTable(base.table(table, fields), connection, adapter, { renames, areOthersTwo: renames.length > 0 }),
    )

  async function altered(table: string, fields: Fields, renames: PlanOptions['renames'] = []) {
    const planned = await plan(table, fields, renames)
    assert.deepEqual(
      planned.statements.flatMap(({ obstacles }) => obstacles),
      [],
    )
    await applyPlans(base, [planned], { by: 'a test', again: 'npx dray schema plan' })
    assert.deepEqual((await plan(table, fields)).statements, [])
  }

  it('has the new name of a column in its indexes, triggers, checks and generated columns, too', async () => {
    await base.query(
      `create table moved (id integer not null primary key, a text check (a <> 'q'), c text,
        g text as (a || '!'), constraint k check (length(a) > 0))`,
    )
    await base.query('create table moved_log (text)')
    await base.query('create index moved_a on moved (a, lower("a"))')
    await base.query(
      'create trigger moved_t after insert on moved begin insert into moved_log values (new.a || new.c); end',
    )
    await base.query(`insert into moved (id, a, c) values (1, 'x', '5')`)

    const fields = { id: bigint().primaryKey(), b: text().nullable(), c: bigint().nullable() }
    await altered('moved', fields, [{ from: 'a', to: 'b' }])

    await base.query(`insert into moved (id, b, c) values (2, 'y', 6)`)
    assert.deepEqual(await rows('select id, b, c, typeof(c), g from moved'), [
      ['1', 'x', '5', 'integer', 'x!'],
      ['2', 'y', '6', 'integer', 'y!'],
    ])
    assert.deepEqual(await rows('select * from moved_log'), [['x5'], ['y6']])
    assert.deepEqual(await rows("select name from pragma_index_xinfo('moved_a') where key"), [['b'], [null]])
    await assert.rejects(base.query(`insert into moved (id, b) values (3, 'q')`))
    await assert.rejects(base.query(`insert into moved (id, b) values (3, '')`))
  })

  it('keeps what its CREATE TABLE says: comments aside, word by word', async () => {
    await base.query(
      `create table "odd, (names" (
      [id] integer primary key autoincrement, -- a, comment (
      "a ""b""" varchar(20) collate nocase default 'it''s, (so)' not null check ("a ""b""" <> 'x)'),
      c double precision, /* another, one */
      d text generated always as (upper("a ""b""")) stored,
      constraint both unique ("a ""b""", c)
    ) strict`
        .replace('varchar(20)', 'text')
        .replace('double precision', 'real'),
    )
    await base.query(`insert into "odd, (names" (c) values (1.5), (2)`)
    await base.query(`delete from "odd, (names" where id = 2`)

    await altered('odd, (names', {
      id: bigint().primaryKey(),
      a: text().column('a "b"').nullable(),
      c: text().nullable(),
    })

    assert.equal(
      await textOf('odd, (names'),
      `CREATE TABLE "odd, (names" ("id" integer primary key autoincrement, "a ""b""" text collate nocase default 'it''s, (so)' check ("a ""b""" <> 'x)'), "c" TEXT, "d" text generated always as (upper("a ""b""")) stored, constraint both unique ("a ""b""", c)) strict`,
    )
    await base.query(`insert into "odd, (names" ("a ""b""") values ('next')`)
    assert.deepEqual(await rows(`select * from "odd, (names" order by id`), [
      ['1', "it's, (so)", '1.5', "IT'S, (SO)"],
      ['3', 'next', null, 'NEXT'],
    ])
  })

  it('keeps a table without rowids, and columns without a type', async () => {
    await base.query('create table plain (id integer primary key, a, b integer not null) without rowid')
    await base.query("insert into plain values (1, 'x', 2)")

    await altered('plain', { id: bigint().primaryKey(), a: text().nullable(), b: integer().nullable() })

    assert.match((await textOf('plain')) ?? '', /"a" TEXT, "b" integer\) without rowid$/)
    assert.deepEqual(await rows('select * from plain'), [['1', 'x', '2']])
  })

  it('has another key where the columns said the former one themselves', async () => {
    await base.query(
      'create table keyed (id integer constraint named primary key desc on conflict abort, a text not null)',
    )
    await base.query("insert into keyed values (1, 'x')")

    await altered('keyed', { id: bigint(), a: text().primaryKey() })

    assert.match((await textOf('keyed')) ?? '', /\("id" integer not null, "a" text not null, primary key \("a"\)\)$/)
  })

  it('is left as it is where a foreign key of another table would refer to no key any more', async () => {
    await base.query('create table parent (id integer primary key, code text not null)')
    await base.query('create table child (parent integer references parent (id))')
    await base.query("insert into parent values (1, 'x')")
    await base.query('insert into child values (1)')
    const had = await textOf('parent')

    const planned = await plan('parent', { id: bigint(), code: text().primaryKey() })

    await assert.rejects(
      applyPlans(base, [planned], { by: 'a test', again: 'npx dray schema plan' }),
      /foreign key mismatch.*so nothing was changed there/,
    )
    assert.equal(await textOf('parent'), had)
    assert.deepEqual(await rows('pragma foreign_keys'), [['1']])
  })
})
