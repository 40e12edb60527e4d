import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { type ReplicaOptions, replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { type Harness, openHarness } from './harness.ts'
import { runReplica } from './replica-run.ts'

/* Dray's own tables, the copies and the source are in one file, whose definitions have one number. */

const base = new Database('one-file')

describe('a source and its copies in one file of SQLite', () => {
  let harness: Harness
  let others: DatabaseSync

  beforeEach(async () => {
    harness = await openHarness()
    const path = join(harness.folder, 'one.db')
    process.env[urlVariable(base.name)] = `sqlite:${path}`
    others = new DatabaseSync(path)
    others.exec(`
      create table orders (id integer primary key, what text, updated_at timestamp not null);
      create index orders_at on orders (updated_at);
      create table log (what text, updated_at timestamp not null);
      create index log_at on log (updated_at);
      create table words (word text);
      insert into orders values (1, 'x', '2001-01-01 00:00:00');
      insert into log values ('x', '2001-01-01 00:00:00');
      insert into words values ('x');`)
  })
  afterEach(async () => {
    others.close()
    await base.close()
    await harness.close()
  })

  const run = async (id: string, options: Partial<ReplicaOptions> = {}) => {
    const replica = replicate('raw', {
      from: base,
      into: base,
      cursor: 'updated_at',
      name: ({ name }) => `raw_${name}`,
      overrides: { log: { load: 'append' } },
      ...options,
    })
    const { steps, error } = await runReplica(replica, id, harness.services)
    const readOf = (table: string) => steps.get(`raw/${table}`)?.read
    return { error, read: [readOf('orders'), readOf('log'), readOf('words')], steps }
  }
  const add = (what: string, second: number) =>
    others.exec(`
      insert into orders (what, updated_at) values ('${what}', '2002-01-01 00:00:0${second}');
      insert into log values ('${what}', '2002-01-01 00:00:0${second}');`)
  const logged = async () => (await base.query('select what from raw_log order by 1')).rows.flat().join()

  test('each run reads behind last_run, whatever Dray defines meanwhile', async () => {
    const first = await run('run-1')
    const second = await run('run-2')
    others.exec('alter table orders add column more text')
    const third = await run('run-3')
    const fourth = await run('run-4')

    assert.deepEqual([first.error, second.error, third.error, fourth.error], [null, null, null, null])
    assert.deepEqual(
      [first.read, second.read, third.read, fourth.read],
      [
        [1, 1, 1],
        [0, 0, 1],
        [0, 0, 1],
        [0, 0, 1],
      ],
    )
    assert.equal(await logged(), 'x')
  })

  test('what others define beside its tables leaves appends as they are', async () => {
    await run('run-1')
    others.exec(
      'create table notes (id integer primary key); create index words_by on words (word); create view v as select 1',
    )
    await run('run-2')
    others.exec('vacuum')

    const third = await run('run-3')

    assert.deepEqual([third.error, third.read], [null, [0, 0, 1]])
  })

  test('a table that was made anew is read whole once, and its append refused', async () => {
    await run('run-1')
    others.exec(`
      drop table orders;
      create table orders (id integer primary key, what text, updated_at timestamp not null);
      create index orders_at on orders (updated_at);
      insert into orders values (1, 'z', '2001-01-01 00:00:00'), (2, 'y', '2001-01-01 00:00:00');`)
    add('later', 1)

    const second = await run('run-2')
    const third = await run('run-3')

    assert.deepEqual([second.read[0], third.read[0]], [3, 0])
    assert.match(second.steps.get('raw/log')?.error ?? '', /definition of one-file.log has changed.*nothing was read/)
  })
})
