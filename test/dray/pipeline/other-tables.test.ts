import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { type ReplicaOptions, replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { planReplica } from 'dray/internal/pipeline/inspect/plan-replica.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { onEachEngine } from './engines.ts'
import { runPipeline } from './harness.ts'
import { type ReplicaRun, runReplica } from './replica-run.ts'

const source = new Database('other-tables')
const target = new Database('other-tables-copy')

onEachEngine('last_run belongs to a table and its cursor', [source, target], (engine) => {
  const moment =
    engine.dialect === 'postgres' ? 'timestamptz' : engine.dialect === 'mysql' ? 'timestamp(6)' : 'timestamp'
  const made = (options: Partial<ReplicaOptions> = {}) =>
    replicate('raw', { from: source, into: target, cursor: ['updated_at', 'seen_at'], ...options })
  const run = (id: string, options: Partial<ReplicaOptions> = {}) =>
    runReplica(made(options), id, engine.harness.services)
  const write = async (...statements: string[]) => {
    for (const sql of statements) await source.query(sql)
  }
  const table = (name: string, ...columns: string[]) => [
    `create table ${name} (${['id integer not null primary key', 'what varchar(9)', ...columns.map((column) => `${column} ${moment} default '2001-01-01 00:00:00' not null`)].join(', ')})`,
    ...columns.map((column) => `create index ${name}_${column} on ${name} (${column})`),
  ]
  const rowsOf = async (name: string) =>
    (await target.query(`select id, what from ${name} order by id`)).rows.map(([id, what]) => `${id}${what}`).join()
  const ofTable = ({ steps }: ReplicaRun, name = 'a') => {
    const { read, notes, error, lastRunAfter } = steps.get(`raw/${name}`) ?? {}
    return { read, notes: (notes ?? []).join('; '), error, lastRunAfter }
  }

  test('a table that stays is read behind last_run, whatever comes into it', async () => {
    await write(...table('a', 'updated_at'), "insert into a values (1, 'x', '2002-01-01')")
    await run('run-1')
    await write("insert into a (id, what) values (2, 'late')", "insert into a values (3, 'y', current_timestamp)")

    const second = ofTable(await run('run-2', { overrides: { a: { lag: '0s' } } }))

    assert.deepEqual([second.error, second.notes.includes('all rows')], [null, false])
    assert.doesNotMatch(await rowsOf('a'), /2late/)
  })

  test('a table that was made anew is read whole once, and planned so', async () => {
    await write(...table('a', 'updated_at'), "insert into a values (1, 'x', '2002-01-01')")
    await run('run-1')
    await write('drop table a', ...table('a', 'updated_at'), "insert into a values (1, 'z', '2001-02-01')")
    await write("insert into a values (2, 'y', '2001-01-01')")

    const [planned] = (await planReplica(made(), engine.harness.services)).tables
    const second = ofTable(await run('run-2'))
    const third = ofTable(await run('run-3'))

    assert.deepEqual([second.error, second.read, await rowsOf('a'), third.read], [null, 2, '1z,2y', 0])
    assert.deepEqual([planned?.rowsToRead, third.notes.includes('read again')], [2, false])
    for (const notes of [second.notes, planned?.notes.join() ?? '']) {
      assert.match(notes, /other-tables\.a .*made anew.*, so all rows are read again/)
    }
  })

  test('two tables that have changed their names are read whole', async () => {
    await write(...table('a', 'updated_at'), ...table('b', 'updated_at'))
    await write("insert into a values (1, 'a', '2001-01-01')", "insert into b values (1, 'b', '2001-01-01')")
    await run('run-1')
    await write('alter table a rename to c', 'alter table b rename to a', 'alter table c rename to b')

    const second = await run('run-2')

    assert.equal(second.error, null)
    assert.deepEqual([await rowsOf('a'), await rowsOf('b')], ['1b', '1a'])
  })

  test('a cursor that was dropped and added again, or that is another one, has all rows read', async () => {
    await write(...table('a', 'updated_at', 'seen_at'), "insert into a values (1, 'x', '2002-01-01', '2002-01-01')")
    await run('run-1')
    await write("update a set what = 'seen', seen_at = '2003-01-01'")
    const other = ofTable(await run('run-2', { overrides: { a: { cursor: 'seen_at' } } }))
    const seen = await rowsOf('a')
    const index = engine.dialect === 'mysql' ? 'drop index a_seen_at on a' : 'drop index a_seen_at'
    await write(index, 'alter table a drop column seen_at', "update a set what = 'new'")
    await write(`alter table a add column seen_at ${moment} default '2001-01-01 00:00:00' not null`)
    await write('create index a_seen_at on a (seen_at)')

    const anew = ofTable(await run('run-3', { overrides: { a: { cursor: 'seen_at' } } }))

    assert.deepEqual([seen, await rowsOf('a')], ['1seen', '1new'])
    assert.match(
      other.notes,
      /the cursor of other-tables.a was updated_at, timestamp at last_run and is seen_at, timestamp now, so all/,
    )
    assert.match(anew.notes, /so all rows are read again/)
  })

  test('a run of some keys leaves it to the next one to find the table made anew', async () => {
    await write(...table('a', 'updated_at'), "insert into a values (1, 'x', '2002-01-01')")
    await run('run-1')
    await write('drop table a', ...table('a', 'updated_at'), "insert into a values (1, 'z', '2001-02-01')")
    await write("insert into a values (2, 'y', '2001-01-01')")

    const keys = await runReplica(made(), 'run-2', engine.harness.services, {
      tables: ['raw/a'],
      mode: { keys: [['1']] as never },
    })
    const third = ofTable(await run('run-3'))

    assert.deepEqual([keys.error, third.read, await rowsOf('a')], [null, 2, '1z,2y'])
  })

  test('an append refuses a table that was made anew, and takes both remedies', async () => {
    const overrides = { log: { load: 'append' } } as const
    const anew = ['drop table log', `create table log (what varchar(9), updated_at ${moment} not null)`]
    const index = 'create index log_by on log (updated_at)'
    await write(...anew.slice(1), index, "insert into log values ('x', '2001-01-01')")
    const first = await run('run-1', { overrides })
    await write(...anew, index, "insert into log values ('y', '2001-01-01')")

    const refused = await run('run-2', { overrides })
    const { pipeline: known } = await knownPipeline(overrides)
    await engine.harness.services.state.releaseLease('raw/log', 'run-2')
    await setLastRun(known, ofTable(first, 'log').lastRunAfter ?? '', engine.harness.services)
    const taken = await run('run-3', { overrides })

    assert.match(
      refused.steps.get('raw/log')?.error ?? '',
      /made anew.*nothing was read. `npx dray state set raw\/log '.*' --yes` takes.*`npx dray state reset raw\/log --yes`/,
    )
    assert.equal(taken.error, null)
    assert.deepEqual((await target.query('select what from log')).rows, [['x']])
  })

  async function knownPipeline(overrides: ReplicaOptions['overrides']) {
    const { livePipeline } = await import('dray/internal/pipeline/replica/prepared-table.ts')
    return livePipeline(made({ ...(overrides === undefined ? {} : { overrides }) }), 'raw/log')
  }

  test('a pipeline whose cursor is another one reads all rows once, and an append says what to do', async () => {
    class Item extends source.table('item', {
      id: bigint().primaryKey(),
      changedAt: timestamp(),
      seenAt: timestamp(),
    }) {}
    class Copy extends target.table('item_copy', { id: bigint().primaryKey(), note: varchar(9).nullable() }) {}
    class Log extends target.table('item_log', { id: bigint() }) {}
    for (const model of [Item, Copy, Log] as unknown as ModelClass[]) await model.createTable()
    const of = (cursor: string, load: unknown) =>
      pipeline('items', {
        extract: changedSince(Item, { cursor: cursor as never, lag: '0s' }),
        transform: ({ id }: Item) => ({ id }),
        load: load as never,
      }) as unknown as Pipeline
    const into = upsert(Copy, { by: 'id' })
    const step = async (id: string, made: Pipeline) => {
      await runPipeline(made, id, engine.harness.services)
      return (await engine.harness.services.state.run(id))?.steps[0]
    }
    await write("insert into item values (1, '2001-01-01', '2002-01-01'), (2, '2001-01-01', '2002-01-01')")
    await step('run-1', of('changedAt', into))

    const again = await step('run-2', of('changedAt', into))
    const other = await step('run-3', of('seenAt', into))
    const refused = await step('run-4', of('changedAt', append(Log))).catch((error: Error) => error.message)

    assert.deepEqual([again?.read, other?.read], [0, 2])
    assert.match(other?.notes?.join() ?? '', /cursor of other-tables.item was changed_?at.* and is seen_?at.* now/i)
    assert.match(
      String(refused),
      /an append from last_run .* could leave rows out for good.*state set items '<value of the new cursor>'/,
    )
  })

  test('a copy that is another table of the target now gets all rows, and an append says what to do', async () => {
    await write(...table('a', 'updated_at'), "insert into a values (1, 'x', '2002-01-01')")
    await write(
      `create table log (what varchar(9), updated_at ${moment} not null)`,
      "insert into log values ('x', '2001-01-01')",
    )
    await write('create index log_by on log (updated_at)')
    const overrides = { log: { load: 'append' } } as const
    await run('run-1', { overrides })
    for (const sql of table('b', 'updated_at').slice(0, 1)) await target.query(sql)
    await target.query(`create table log2 (what varchar(9), updated_at ${moment} not null)`)
    const other = { a: { name: 'b' }, log: { load: 'append', name: 'log2' } } as const

    const second = await run('run-2', { overrides: other })
    const third = await run('run-3', { overrides: other })
    const { pipeline: known } = await knownPipeline(other)
    await engine.harness.services.state.releaseLease('raw/log', 'run-3')
    await setLastRun(known, null, engine.harness.services)
    const fourth = await run('run-4', { overrides: other })

    assert.deepEqual([ofTable(second).read, ofTable(third).read, await rowsOf('b')], [1, 0, '1x'])
    for (const { steps } of [second, third]) {
      assert.match(steps.get('raw/log')?.error ?? '', /log2 at no time: it is new.*state reset raw\/log --yes/)
    }
    assert.deepEqual([fourth.error, (await target.query('select what from log2')).rows], [null, [['x']]])
  })

  test('a partition that comes with older rows has all rows read; an empty one has not', async () => {
    if (engine.dialect !== 'postgres') return
    const columns = 'id integer not null, what varchar(9), updated_at timestamptz not null, primary key (id)'
    await write(`create table a (${columns}) partition by range (id)`, 'create index a_by on a (updated_at)')
    await write('create table a1 partition of a for values from (0) to (10)')
    await write("insert into a values (1, 'x', '2001-01-01')")
    await run('run-1')
    await write('create table a2 partition of a for values from (10) to (20)')
    const empty = ofTable(await run('run-2'))
    await write(`create table a3 (${columns})`, "insert into a3 values (21, 'y', '2001-01-01')")
    await write('alter table a attach partition a3 for values from (20) to (30)')

    const attached = ofTable(await run('run-3'))
    const after = ofTable(await run('run-4'))

    assert.deepEqual([empty.read, attached.read, after.read, await rowsOf('a')], [0, 2, 0, '1x,21y'])
    assert.match(
      attached.notes,
      /public.a3 has become a part of other-tables.a since last_run.*all rows are read again/,
    )
  })

  test('without PROCESS a changed definition has all rows read, and the grant is named', async () => {
    if (engine.dialect !== 'mysql') return
    const url = new URL(process.env[urlVariable(source.name)] as string)
    const user = `reader${url.pathname.slice(-8)}`
    await write(...table('a', 'updated_at'), "insert into a values (1, 'x', '2002-01-01')")
    await write(`create user '${user}' identified by 'x'`, `grant all on \`${url.pathname.slice(1)}\`.* to '${user}'`)
    process.env[urlVariable(source.name)] = Object.assign(new URL(url), {
      username: user,
      password: 'x',
      // MySQL takes the password of a user whom it has not seen yet under TLS alone.
      search: isRealMysql ? '?sslmode=no-verify' : '',
    }).href
    await source.close()
    await run('run-1')
    const kept = ofTable(await run('run-2'))
    // The engine knows the second in which a table was made.
    await setTimeout(1_100)
    await write('drop table a', ...table('a', 'updated_at'), "insert into a values (1, 'z', '2001-02-01')")

    const anew = ofTable(await run('run-3'))

    process.env[urlVariable(source.name)] = url.href
    await source.close()
    await write(`drop user '${user}'`)
    assert.deepEqual([kept.read, anew.read, await rowsOf('a')], [0, 1, '1z'])
    assert.match(
      anew.notes,
      /definition of other-tables.a has changed .*grant process on \*\.\* to .*all rows are read again/,
    )
  })
})
