import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  date,
  decimal,
  double,
  integer,
  text,
  timestamp,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import { applyPlans } from 'dray/internal/active-record/schema-apply.ts'
import { planTable } from 'dray/internal/active-record/schema-plan.ts'
import { startPostgres } from '#test/services/postgres.ts'

describe('a column of PostgreSQL that is altered', () => {
  const base = database('altered-postgres')
  const id = bigint().primaryKey()
  let stop: () => Promise<void>
  before(async () => {
    const server = await startPostgres()
    process.env.ALTERED_POSTGRES_DATABASE_URL = await server.createDatabase()
    stop = () => server.stop()
  })
  after(async () => {
    await base.close()
    await stop()
  })

  const rows = async (sql: string) => (await base.query(sql)).rows
  const plan = (table: string, fields: Fields) =>
    base.withConnection((connection, adapter) => planTable(base.table(table, fields), connection, adapter))
  const obstaclesOf = async (table: string, fields: Fields) =>
    (await plan(table, fields)).statements.map(({ obstacles }) => obstacles.join())

  async function apply(table: string, fields: Fields) {
    await applyPlans(base, [await plan(table, fields)], { by: 'a test', again: 'npx dray schema plan' })
    assert.deepEqual((await plan(table, fields)).statements, [])
  }

  it('is left as it is where a view, a policy, a trigger or another column needs its type, which the plan names', async () => {
    await base.query(
      'create table needed (id bigint primary key, a int, b int, c int, d int, g int generated always as (d + 1) stored)',
    )
    await base.query('create view needed_view as select a from needed')
    await base.query('create policy needed_policy on needed using (b > 0)')
    await base.query("create function needed_f() returns trigger language plpgsql as 'begin return new; end'")
    await base.query(
      'create trigger needed_trigger before update of c on needed for each row execute function needed_f()',
    )
    const wide = bigint().nullable()

    const planned = await obstaclesOf('needed', { id, a: wide, b: wide, c: wide, d: wide })

    const needs = ' needs the former type; drop it first, and make it again'
    assert.deepEqual(planned, [
      `the view needed_view${needs}`,
      `policy needed_policy on table needed${needs}`,
      `trigger needed_trigger on table needed${needs}`,
      `the generated column g${needs}`,
    ])
    const [, , , drop] = await obstaclesOf('needed', { id })
    assert.equal(drop, 'the generated column g would be lost with it')
  })

  it('is left as it is where its default is of no such type', async () => {
    await base.query("create table given (id bigint primary key, a text default 'x', b int default 5)")

    const planned = await obstaclesOf('given', { id, a: integer().nullable(), b: text().nullable() })

    assert.deepEqual(planned, [
      `its default 'x'::text is no integer; alter table "given" alter column "a" drop default`,
      '',
    ])
  })

  it('keeps its collation', async () => {
    await base.query('create table collated (id bigint primary key, a varchar(10) collate "C")')

    await apply('collated', { id, a: varchar(20).nullable() })

    assert.deepEqual(
      await rows(
        "select collation_name from information_schema.columns where table_name = 'collated' and column_name = 'a'",
      ),
      [['C']],
    )
  })

  it('has the digits that it showed before, and no more', async () => {
    await base.query('create table shown (id bigint primary key, a real, b real, c double precision)')
    await base.query('insert into shown values (1, 0.1, 16777217, 0.30000000000000004)')

    await apply('shown', { id, a: double().nullable(), b: decimal(10, 1).nullable(), c: decimal(20, 17).nullable() })

    assert.deepEqual(await rows('select a, b, c from shown'), [['0.1', '16777216.0', '0.30000000000000004']])
  })

  it('counts texts that a moment or a day would round, cut, or take for today', async () => {
    await base.query('create table spoken (id bigint primary key, a text, b text)')
    await base.query(`insert into spoken values (1, '2024-01-01 10:00:00.123456+00', '2024-01-01'),
      (2, '2024-01-01 10:00:00.1234567+00', '2024-01-01 10:00'), (3, 'now', 'today'), (4, 'infinity', '-infinity')`)

    const planned = await obstaclesOf('spoken', { id, a: timestamp().nullable(), b: date().nullable() })

    assert.deepEqual(planned, [
      '2 of 4 rows do not fit into timestamp with time zone in a',
      '2 of 4 rows do not fit into date in b',
    ])
    await base.query('delete from spoken where id in (2, 3)')
    await apply('spoken', { id, a: timestamp().nullable(), b: date().nullable() })
    assert.deepEqual(await rows('select * from spoken order by 1'), [
      ['1', '2024-01-01 10:00:00.123456+00', '2024-01-01'],
      ['4', 'infinity', '-infinity'],
    ])
  })

  it('may be NULL again though its domain says that it may not', async () => {
    await base.query('create domain filled as int not null')
    await base.query('create table of_domain (id bigint primary key, a filled)')

    await apply('of_domain', { id, a: integer().nullable() })

    await base.query('insert into of_domain values (1, null)')
  })

  it('is of a view that is not altered', async () => {
    await base.query('create table seen (id bigint primary key); create view seen_view as select * from seen')

    const planned = await obstaclesOf('seen_view', { id, a: integer().nullable() })

    assert.ok(planned.length > 0)
    assert.ok(planned.every((obstacles) => obstacles.includes('it is a view, which is not altered')))
  })
})
