import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { type ReplicaOptions, replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { onEachEngine } from './engines.ts'
import { type ReplicaRun, runReplica } from './replica-run.ts'

const source = new Database('world-source')
const target = new Database('world-target')

onEachEngine('a replica whose source changes', [source, target], (engine) => {
  const run = (id: string, options: Partial<ReplicaOptions> = {}, name = 'raw') =>
    runReplica(replicate(name, { from: source, into: target, ...options }), id, engine.harness.services)
  const notesOf = ({ steps }: ReplicaRun, step = 'raw') => (steps.get(step)?.notes ?? []).join('; ')
  const errorOf = ({ steps }: ReplicaRun, step = 'raw/a') => steps.get(step)?.error ?? ''
  const write = async (...statements: string[]) => {
    for (const sql of statements) await source.query(sql)
  }
  const rowsOf = async (sql: string) => (await target.query(sql)).rows

  test('a table that became a view is said to be one, with how it is taken', async () => {
    await write('create table a (id integer primary key)', 'insert into a values (1)')
    await write('create table c (id integer primary key)')
    await run('run-1')
    await write('alter table a rename to base', 'create view a as select id from base')

    const second = await run('run-2', { tables: ['*', '!base'] })
    const third = await run('run-3', { tables: ['*', '!base', 'a'], overrides: { a: { key: 'id' } } })

    assert.match(notesOf(second), /a of world-source is a view now.*Add 'a' to tables, and overrides: \{ 'a': \{ key/)
    assert.doesNotMatch(notesOf(second), /which it has no more/)
    assert.deepEqual([third.error, notesOf(third).includes('a view now')], [null, false])
  })

  test('a table that the declaration leaves out is not said to be gone', async () => {
    await write('create table a (id integer primary key)', 'create table b (id integer primary key)')
    await run('run-1')

    const second = await run('run-2', { tables: ['*', '!a'] })

    assert.match(notesOf(second), /raw has copied a, and its tables choose it no more; world-target keeps \S*a as of/)
  })

  test('a table that no run can load is new once', async () => {
    await write('create table a (id integer primary key)')
    await run('run-1')
    await target.query('create table b (v varchar(9))')
    await target.query("insert into b values ('kept')")
    await write('create table b (v varchar(9))', 'create table c (id integer primary key)')

    const second = await run('run-2')
    const third = await run('run-3')

    assert.match(notesOf(second), /has new tables, which raw takes over from now on: b, c/)
    assert.deepEqual([errorOf(third, 'raw/b').includes('nothing was read'), notesOf(third)], [true, ''])
  })

  test('a column of another kind is said with the statement that has the copy follow', async () => {
    if (engine.dialect === 'sqlite') return
    await write('create table a (id integer primary key, n integer)', 'insert into a values (1, 5)')
    await run('run-1')
    await write(
      engine.dialect === 'postgres'
        ? 'alter table a alter column n type varchar(20) using n::varchar(20)'
        : 'alter table a modify n varchar(20)',
      "insert into a values (2, 'five')",
    )

    const second = await run('run-2')
    const statements = /Run `(.+?)` on world-target/.exec(errorOf(second))?.[1]?.split('; ') ?? []
    for (const sql of statements) await target.query(sql)
    const third = await run('run-3')

    assert.match(errorOf(second), /the column n of world-source.a is .*, which does not hold its values/)
    assert.deepEqual(
      [third.error, await rowsOf('select id, n from a order by id')],
      [
        null,
        [
          ['1', '5'],
          ['2', 'five'],
        ],
      ],
    )
  })

  test('within one database, the copy of a table that is gone is not taken for a table', async () => {
    process.env[urlVariable(target.name)] = process.env[urlVariable(source.name)]
    await target.close()
    const name = ({ name }: { name: string }) => `raw_${name}`
    await write('create table a (id integer primary key)', 'create table b (id integer primary key)')
    await run('run-1', { name })
    await write('drop table a')

    const second = await run('run-2', { name })

    assert.deepEqual([second.error, [...second.steps.keys()].sort()], [null, ['raw', 'raw/b']])
  })

  test('rows of a source that is empty now are marked by the statement that the run says', async () => {
    const options = { deletes: 'soft' } as const
    await write('create table a (id integer primary key)', 'insert into a values (1), (2)')
    await run('run-1', options)
    await write('delete from a')

    const second = await run('run-2', options)
    await target.query(/`(update .+?)`/.exec(errorOf(second))?.[1] as string)
    const third = await run('run-3', options)

    assert.match(errorOf(second), /has no row at all, so none of the 2 rows of world-target.a was marked as deleted/)
    assert.deepEqual([third.error, await rowsOf('select count(*) from a where _deleted_at is null')], [null, [['0']]])
  })

  test('two replicas of one table are told to give one copy another name', async () => {
    await write('create table a (id integer primary key)')
    await run('run-1')

    const other = await run('run-2', {}, 'second')

    assert.match(errorOf(other, 'second/a'), /raw\/a writes world-target.a, too.*give the copy another name/)
    assert.doesNotMatch(errorOf(other, 'second/a'), /where: \{/)
  })
})
