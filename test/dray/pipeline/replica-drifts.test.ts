import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Database } from 'dray/internal/active-record/database.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { startPostgres } from '#test/services/postgres.ts'
import { type Engine, onEachEngine } from './engines.ts'
import { type ReplicaRun, runReplica } from './replica-run.ts'

const source = new Database('drift-source')
const target = new Database('drift-target')

/** What a source does to its tables between two runs, in its own SQL. */
function drifts(engine: Engine, dialect: Dialect): void {
  const shop = replicate('drift-raw', { from: source, into: target, cursor: 'updated_at', deletes: 'hard' })
  const run = (id: string) => runReplica(shop, id, engine.harness.services)
  const notesOf = ({ steps }: ReplicaRun, step = 'drift-raw/a') => (steps.get(step)?.notes ?? []).join('; ')
  const rowsOf = async (sql: string) => (await target.query(sql)).rows
  const write = async (...statements: string[]) => {
    for (const sql of statements) await source.query(sql)
  }
  const moment = () => (dialect === 'postgres' ? 'timestamptz' : dialect === 'mysql' ? 'timestamp(6)' : 'timestamp')

  test('a renamed column is a new one and one that is gone: values go on under the new name', async () => {
    await write('create table a (id integer primary key, name varchar(20))', "insert into a values (1, 'x')")
    await run('run-1')
    await write('alter table a rename column name to title', "insert into a values (2, 'y')")

    const second = await run('run-2')

    assert.equal(second.error, null)
    assert.match(notesOf(second), /the column title of drift-source.a is new at the source/)
    assert.match(notesOf(second), /name of drift-source.a: not at the source any more, and drift-target.a keeps it/)
    assert.deepEqual(await rowsOf('select id, name, title from a order by id'), [
      ['1', 'x', 'x'],
      ['2', null, 'y'],
    ])
  })

  test('a renamed table is a new one and one that is gone', async () => {
    await write('create table a (id integer primary key)', 'insert into a values (1)')
    await run('run-1')
    await write('alter table a rename to b', 'insert into b values (2)')

    const second = await run('run-2')

    assert.equal(second.error, null)
    assert.match(notesOf(second, 'drift-raw'), /has a new table, which drift-raw takes over from now on: b/)
    assert.match(notesOf(second, 'drift-raw'), /drift-raw has copied a of drift-source, which it has no more/)
    assert.deepEqual(await rowsOf('select id from b order by id'), [['1'], ['2']])
    assert.deepEqual(await rowsOf('select id from a'), [['1']])
  })

  test('a cursor that is dropped has all rows read from then on, those that went meanwhile with them', async () => {
    await write(
      `create table a (id integer primary key, name varchar(9), updated_at ${moment()} not null)`,
      'create index a_by on a (updated_at)',
      "insert into a values (1, 'x', '2024-01-01 10:00:00'), (2, 'y', '2024-01-01 10:00:00')",
    )
    await run('run-1')
    await write(`drop index a_by${dialect === 'mysql' ? ' on a' : ''}`, 'alter table a drop column updated_at')
    await write("update a set name = 'z' where id = 1", 'delete from a where id = 2')

    const second = await run('run-2')

    assert.equal(second.error, null)
    assert.match(notesOf(second), /updated_at of drift-source.a: not at the source any more/)
    assert.deepEqual(await rowsOf('select id, name from a'), [['1', 'z']])
  })

  test('a cursor that a table has come to have is taken, and no row is left out', async () => {
    await write('create table a (id integer primary key, name varchar(9))', "insert into a values (1, 'x')")
    await run('run-1')
    await write(
      'drop table a',
      `create table a (id integer primary key, name varchar(9), updated_at ${moment()} not null)`,
      'create index a_by on a (updated_at)',
      "insert into a values (1, 'x', '2024-01-01 10:00:00'), (3, 'old', '2001-01-01 10:00:00')",
    )

    const second = await run('run-2')

    assert.equal(second.error, null)
    assert.deepEqual(await rowsOf('select id, name from a order by id'), [
      ['1', 'x'],
      ['3', 'old'],
    ])
  })

  test('a key that has come to have another column stops its table until the copy is made anew', async () => {
    await write(
      'create table a (id integer not null primary key, region integer not null)',
      'insert into a values (1, 1)',
    )
    await run('run-1')
    await write(
      'drop table a',
      'create table a (id integer not null, region integer not null, primary key (id, region))',
      'insert into a values (1, 1), (1, 2), (2, 1)',
    )

    const second = await run('run-2')

    assert.match(
      second.steps.get('drift-raw/a')?.error ?? '',
      /drift-source.a has the key id, region, and drift-target.a has the key id, .*state reset drift-raw.a --yes/,
    )
    assert.deepEqual(await rowsOf('select id, region from a'), [['1', '1']])
    await target.query('drop table a')
    const third = await run('run-3')
    assert.deepEqual([third.error, await rowsOf('select count(*) from a')], [null, [['3']]])
  })

  test('a column that may not be NULL any more takes its values, and the copy stays as it is', async () => {
    await write('create table a (id integer primary key, name varchar(9))', "insert into a values (1, 'x')")
    await run('run-1')
    await write(
      'drop table a',
      'create table a (id integer primary key, name varchar(9) not null)',
      "insert into a values (1, 'y')",
    )

    const second = await run('run-2')

    assert.deepEqual([second.error, notesOf(second)], [null, ''])
    assert.deepEqual(await rowsOf('select id, name from a'), [['1', 'y']])
  })

  test('columns in another order are the same columns', async () => {
    await write(
      'create table a (id integer primary key, b varchar(9), c varchar(9))',
      "insert into a values (1, 'b', 'c')",
    )
    await run('run-1')
    await write(
      'drop table a',
      'create table a (c varchar(9), b varchar(9), id integer primary key)',
      "insert into a values ('c2', 'b2', 1)",
    )

    const second = await run('run-2')

    assert.deepEqual([second.error, notesOf(second)], [null, ''])
    assert.deepEqual(await rowsOf('select id, b, c from a'), [['1', 'b2', 'c2']])
  })

  test('a table that has come to have a key stops until the copy is made anew, which has its rows once', async () => {
    await write('create table a (id integer not null, name varchar(9))', "insert into a values (1, 'x'), (2, 'y')")
    await run('run-1')
    await write(
      'drop table a',
      'create table a (id integer not null primary key, name varchar(9))',
      "insert into a values (1, 'x'), (2, 'z')",
    )

    const second = await run('run-2')
    assert.match(
      second.error ?? '',
      /drift-source.a has the key id, and drift-target.a has no such key.*state reset drift-raw.a --yes/,
    )
    assert.deepEqual(await rowsOf('select id, name from a order by id'), [
      ['1', 'x'],
      ['2', 'y'],
    ])
    await target.query('drop table a')
    const third = await run('run-3')
    assert.deepEqual([third.error, await rowsOf('select name from a order by id')], [null, [['x'], ['z']]])
  })

  test('a table that became a view is named, and its copy stays', async () => {
    await write(
      'create table a (id integer primary key)',
      'insert into a values (1)',
      'create table b (id integer primary key)',
    )
    await run('run-1')
    await write('drop table a', 'create view a as select 2 as id')

    const second = await run('run-2')

    assert.match(
      notesOf(second, 'drift-raw'),
      /a of drift-source is a view now.*drift-target keeps .*a as of the last run/,
    )
    assert.deepEqual(await rowsOf('select id from a'), [['1']])
  })
}

onEachEngine('a replica whose source changes', [source, target], (engine) => drifts(engine, engine.dialect))

onEachEngine('a replica of a PostgreSQL database that changes', [target], (engine) => {
  if (engine.dialect === 'postgres') return
  let postgres: Awaited<ReturnType<typeof startPostgres>>
  before(async () => {
    postgres = await startPostgres()
  })
  after(async () => {
    await source.close()
    await postgres.stop()
  })
  beforeEach(async () => {
    await source.close()
    process.env[urlVariable(source.name)] = await postgres.createDatabase()
  })
  drifts(engine, 'postgres')
})
