import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, integer, text, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import { applyPlans } from 'dray/internal/active-record/schema-apply.ts'
import { planTable } from 'dray/internal/active-record/schema-plan.ts'
import { isRealMysql, startMysqlServer } from '#test/services/mysql-server.ts'
import { skip } from './opened-server.ts'

describe('a column of MySQL that is modified', { skip }, () => {
  const base = database('modified')
  let stop: () => Promise<void>
  before(async () => {
    const server = await startMysqlServer()
    process.env.MODIFIED_DATABASE_URL = await server.createDatabase()
    stop = () => server.stop()
  })
  after(async () => {
    await base.close()
    await stop()
  })

  const rows = async (sql: string) => (await base.query(sql)).rows
  const plan = (table: string, fields: Fields) =>
    base.withConnection((connection, adapter) => planTable(base.table(table, fields), connection, adapter))

  it('keeps its comment, default, collation, check and visibility', async () => {
    const invisible = isRealMysql ? 'invisible' : ''
    await base.query(`create table modified (id bigint not null primary key, z int,
      a varchar(20) character set utf8mb3 collate utf8mb3_general_ci default 'it''s \\\\, (so)' not null comment 'of, (people)',
      b int ${invisible} comment 'it''s b' check (b > 0), c timestamp not null default current_timestamp on update current_timestamp) default character set latin1`)
    const of = () =>
      rows(`select column_name, column_type, is_nullable, nullif(column_default, 'NULL'), collation_name, column_comment, extra from information_schema.columns
        where table_schema = database() and table_name = 'modified' and column_name in ('a', 'b') order by 1`)
    const had = await of()
    const fields = { id: bigint().primaryKey(), z: text().nullable(), a: varchar(30).nullable(), b: bigint() }

    const planned = await plan('modified', { ...fields, added: varchar(5).nullable() })
    const wanted = planned.statements.filter(({ what }) => !what.startsWith('drops'))
    await applyPlans(base, [{ ...planned, statements: wanted }], { by: 'a test', again: 'npx dray schema plan' })

    const [a, b] = await of()
    assert.deepEqual(
      a,
      [...(had[0] ?? [])].map((value) => ({ 'varchar(20)': 'varchar(30)', NO: 'YES' })[value ?? ''] ?? value),
    )
    assert.deepEqual(
      [b?.[1]?.replace('(20)', ''), b?.[2], ...(b?.slice(3) ?? [])],
      ['bigint', 'NO', ...(had[1]?.slice(3) ?? [])],
    )
    await assert.rejects(base.query('insert into modified (id, b) values (1, -1)'))
    const collations = await rows(
      `select collation_name from information_schema.columns where table_schema = database() and table_name = 'modified' and column_name in ('z', 'added')`,
    )
    assert.deepEqual(collations, [['utf8mb4_bin'], ['utf8mb4_bin']])
  })

  for (const [kind, options] of [
    ['compressed', 'row_format=compressed'],
    ['with a full-text index', ''],
  ] as const) {
    it(`is said to be written anew for a column where the engine does so: one ${kind}`, async () => {
      const name = kind.replaceAll(/\W/g, '_')
      const index = options === '' ? ', fulltext (a)' : ''
      await base.query(`create table ${name} (id bigint not null primary key, a varchar(20)${index}) ${options}`)
      await base.query(`insert into ${name} values (1, 'one')`)

      const planned = await plan(name, { id: bigint().primaryKey(), a: varchar(20).nullable(), b: text().nullable() })
      await applyPlans(base, [planned], { by: 'a test', again: 'npx dray schema plan' })

      assert.deepEqual(
        planned.statements.map(({ what, mark }) => [what, mark]),
        [['adds b text', 'rewrites']],
      )
      assert.deepEqual(await rows(`select id, a, b from ${name}`), [['1', 'one', null]])
    })
  }

  it('numbers its rows as before when it is widened', async () => {
    await base.query('create table numbered (id int not null auto_increment primary key, a int)')
    await base.query('insert into numbered (a) values (1), (2)')

    const planned = await plan('numbered', { id: bigint().primaryKey().generated(), a: integer().nullable() })
    await applyPlans(base, [planned], { by: 'a test', again: 'npx dray schema plan' })

    await base.query('insert into numbered (a) values (3)')
    assert.deepEqual(await rows('select id from numbered order by id'), [['1'], ['2'], ['3']])
  })

  it('is left as it is, as Transient, where a lock is not free in time', async () => {
    await base.query('create table held (id bigint not null primary key)')
    const planned = await plan('held', { id: bigint().primaryKey(), a: text().nullable() })

    const error = await base.withConnection(async (connection) => {
      await connection.begin('write')
      await connection.query('select * from held')
      const refused = await applyPlans(base, [planned], { by: 'a test', again: 'npx dray schema plan' }).catch(
        (reason: Error) => reason,
      )
      await connection.rollback()
      return refused
    })

    assert.equal((error as Error).name, 'Transient')
    assert.match(String(error), /Look again: npx dray schema plan$/)
    assert.deepEqual((await plan('held', { id: bigint().primaryKey() })).statements, [])
    const [timeout] = await rows('select @@lock_wait_timeout > 5')
    assert.deepEqual(timeout, ['1'])
  })
})
