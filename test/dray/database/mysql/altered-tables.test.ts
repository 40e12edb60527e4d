import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, date, integer, text, timestamp, uuid, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import { applyPlans } from 'dray/internal/active-record/schema-apply.ts'
import { type PlanOptions, planTable, UNANSWERED } from 'dray/internal/active-record/schema-plan.ts'
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
  const plan = (table: string, fields: Fields, options: PlanOptions = UNANSWERED) =>
    base.withConnection((connection, adapter) => planTable(base.table(table, fields), connection, adapter, options))
  const id = bigint().primaryKey()

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
        [['adds b longtext', 'rewrites']],
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

  for (const [column, options, length, mark] of [
    ['varchar(50) character set latin1', '', 100, 'safe'],
    ['varchar(200) character set latin1', '', 300, 'rewrites'],
    ['varchar(70) character set utf8mb3', '', 100, 'rewrites'],
    ['varchar(10)', 'engine=MyISAM', 20, 'rewrites'],
  ] as const) {
    it(`is marked by what the engine does: ${column} ${options} to ${length} ${mark}`, async () => {
      await base.query('drop table if exists sized')
      await base.query(`create table sized (id bigint not null primary key, a ${column}) ${options}`)
      await base.query(`insert into sized values (1, 'one')`)

      const fields = { id, a: varchar(length).nullable() }
      const planned = await plan('sized', fields)
      await applyPlans(base, [planned], { by: 'a test', again: 'npx dray schema plan' })

      assert.deepEqual(
        planned.statements.map((one) => one.mark),
        [mark],
      )
      assert.deepEqual((await plan('sized', fields)).statements, [])
    })
  }

  it('keeps a default that the new type takes in other words only', async () => {
    await base.query(`create table defaults (id bigint not null primary key, a varchar(10) default 'it''s',
      b timestamp not null default current_timestamp on update current_timestamp, c datetime(3) default current_timestamp(3))`)

    const fields = { id, a: text().nullable(), b: timestamp(), c: timestamp().nullable() }
    await applyPlans(base, [await plan('defaults', fields)], { by: 'a test', again: 'npx dray schema plan' })

    await base.query('insert into defaults (id) values (1)')
    const [row] = await rows(
      'select a, abs(timestampdiff(minute, b, now())) < 5, abs(timestampdiff(minute, c, now())) < 5 from defaults',
    )
    assert.deepEqual(row, ["it's", '1', '1'])
    assert.deepEqual((await plan('defaults', fields)).statements, [])
  })

  it('counts values that the new type would round, cut, or not take', async () => {
    await base.query(
      'create table unfit (id bigint not null primary key, a varchar(50), b varchar(50), c varchar(50), d blob, e varbinary(9))',
    )
    await base.query(`insert into unfit values
      (1, '2024-01-01 10:00:00.123456', '2024-01-01', 'x', 'é', 'é'), (2, '2024-01-01 10:00:00.1234567', '2024-01-01 10:00', 'x ', x'ff', x'ff'),
      (3, '2024-01-01T10:00:00Z', '2024-02-30', '', null, null)`)
    const had = await rows('select * from unfit')

    const planned = await plan('unfit', {
      ...{ id, a: timestamp().nullable(), b: date().nullable(), c: uuid().nullable() },
      ...{ d: text().nullable(), e: varchar(9).nullable() },
    })

    assert.deepEqual(
      planned.statements.map(({ mark, obstacles }) => [mark, ...obstacles]),
      [
        ['loses data', '2 of 3 rows do not fit into datetime(6) in a'],
        ['loses data', '2 of 3 rows do not fit into date in b'],
        ['loses data', '1 of 3 rows do not fit into char(36) in c'],
        ['loses data', '1 of 3 rows do not fit into longtext in d'],
        ['loses data', '1 of 3 rows do not fit into varchar(9) in e'],
      ],
    )
    assert.deepEqual(await rows('select * from unfit'), had)
  })

  it('is neither dropped nor renamed where a view, a trigger, a check or another column has its name', async () => {
    const expression = isRealMysql ? ', key f ((f + 1))' : ''
    await base.query(`create table named (id bigint not null primary key, a int, b int, c int, d int, e int, f int,
      g int generated always as (c + 1) virtual, constraint k check (b > 0)${expression})`)
    await base.query('create view named_view as select a from named')
    await base.query('create trigger named_trigger before insert on named for each row set new.d = 1')

    const dropped = await plan('named', { id })
    const renamed = await plan(
      'named',
      { id, ...Object.fromEntries('abcde'.split('').map((name) => [`${name}2`, bigint().nullable()])) },
      { renames: 'abcde'.split('').map((name) => ({ from: name, to: `${name}2` })), areOthersTwo: true },
    )

    const uses = ['the view named_view', 'the check k', 'the generated column g', 'the trigger named_trigger']
    assert.deepEqual(
      dropped.statements.map(({ obstacles }) => obstacles),
      [...uses.map((use) => [`${use} would lose it`]), [], isRealMysql ? ['the index f would lose it'] : []],
    )
    assert.deepEqual(
      renamed.statements.filter(({ what }) => !what.startsWith('drops')).map(({ obstacles }) => obstacles[0] ?? null),
      [
        ...uses.map((use) => `${use} would not have the new name; drop it first, and make it again`),
        null,
        ...uses.map(() => 'the column has to be renamed first'),
        null,
      ],
    )
  })

  it('is of no type that its index or its foreign key cannot have', async () => {
    await base.query('create table referred (id bigint not null primary key, a varchar(10), key of_a (a))')
    await base.query(
      'create table referring (id int primary key, r bigint, constraint fk foreign key (r) references referred (id))',
    )

    const planned = await plan('referred', { id: integer().primaryKey(), a: text().nullable() })

    assert.match(planned.statements[0]?.obstacles.join() ?? '', /^the foreign key fk of referring needs both columns/)
    assert.match(planned.statements[1]?.obstacles.join() ?? '', /^the index of_a has no room for longtext/)
  })

  it('gets the capitals of the model, since the engine takes both names for one', async () => {
    await base.query('create table respelt (id bigint not null primary key, `Email` varchar(20))')
    await base.query(`insert into respelt values (1, 'one')`)

    const fields = { id, email: varchar(40).nullable() }
    await applyPlans(base, [await plan('respelt', fields)], { by: 'a test', again: 'npx dray schema plan' })

    assert.deepEqual((await plan('respelt', fields)).statements, [])
    assert.deepEqual(await rows('select email from respelt'), [['one']])
  })

  it('is said of a new table that MySQL cannot have it, and the others are planned', async () => {
    const { statements, notes } = await plan('keyed_by_text', { id: text().primaryKey() })

    assert.deepEqual(statements, [])
    assert.match(notes.join(), /MySQL has no key of longtext; declare varchar\(n\)/)
  })

  it('is of a view that is not altered', async () => {
    await base.query('create table seen (id bigint not null primary key)')
    await base.query('create view seen_view as select * from seen')

    const { statements } = await plan('seen_view', { id, a: integer().nullable() })

    assert.ok(statements.length > 0)
    assert.ok(statements.every(({ obstacles }) => obstacles.includes('it is a view, which is not altered')))
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
