import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { Database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { type Replica, replicate, type TableOverride } from 'dray/internal/pipeline/declare/replica.ts'
import { planReplica } from 'dray/internal/pipeline/inspect/plan-replica.ts'
import { livePipeline } from 'dray/internal/pipeline/replica/prepared-table.ts'
import { readJson } from 'dray/internal/staging/documents.ts'
import { batchPrefix, planPrefix } from 'dray/internal/staging/keys.ts'
import { run as step } from 'dray/workflow'
import { startPostgres } from '#test/services/postgres.ts'
import { onEachEngine } from './engines.ts'
import { quarantined } from './harness.ts'
import { type AskedReplica, type ReplicaRun, runReplica } from './replica-run.ts'

const source = new Database('rep-source')
const target = new Database('rep-target')

const rowsOf = async (database: Database, sql: string) => (await database.query(sql)).rows

onEachEngine('a replica', [source, target], (engine) => {
  const shop = replicate('shop-raw', { from: source, into: target, cursor: 'updated_at' })

  async function shopTables() {
    await source.query(
      'create table customers (id integer not null primary key, name varchar(50), note varchar(50) not null)',
    )
    await source.query(
      'create table order_lines (order_id integer not null, place integer not null, amount decimal(10,2), primary key (order_id, place))',
    )
    await source.query('create table log (what varchar(20))')
    await source.query("insert into customers values (1, 'Ann', 'a'), (2, null, 'b')")
    await source.query('insert into order_lines values (1, 1, 9.99), (1, 2, 100.25), (2, 1, null)')
    await source.query("insert into log values ('x'), ('x'), (null)")
  }

  test('takes over every table, each as a pipeline of its own', async () => {
    await shopTables()

    const run = await runReplica(shop, 'run-1', engine.harness.services)

    assert.deepEqual([run.status, run.error], ['SUCCEEDED', null])
    assert.deepEqual(await rowsOf(target, 'select id, name, note from customers order by id'), [
      ['1', 'Ann', 'a'],
      ['2', null, 'b'],
    ])
    assert.deepEqual(await rowsOf(target, 'select order_id, place, amount from order_lines order by 1, 2'), [
      ['1', '1', '9.99'],
      ['1', '2', '100.25'],
      ['2', '1', null],
    ])
    assert.deepEqual(await rowsOf(target, 'select count(*), count(what) from log'), [['3', '2']])
    assert.deepEqual(
      [...run.steps.values()].map(({ step, status, read, tables }) => [step, status, read, tables?.total]).sort(),
      [
        ['shop-raw', 'success', 8, 3],
        ['shop-raw/customers', 'success', 2, undefined],
        ['shop-raw/log', 'success', 3, undefined],
        ['shop-raw/order_lines', 'success', 3, undefined],
      ],
    )
  })

  const run = (replica: Replica, id: string, asked: AskedReplica = {}) =>
    runReplica(replica, id, engine.harness.services, asked)
  const notesOf = ({ steps }: ReplicaRun, step: string) => (steps.get(step)?.notes ?? []).join('; ')
  const write = async (...statements: string[]) => {
    for (const sql of statements) await source.query(sql)
  }
  const moment = () =>
    engine.dialect === 'postgres' ? 'timestamptz' : engine.dialect === 'mysql' ? 'timestamp(6)' : 'timestamp'
  const OLD = "'2024-01-01 10:00:00'"
  const changeType = (table: string, column: string, type: string) =>
    engine.dialect === 'postgres'
      ? `alter table ${table} alter column ${column} type ${type} using ${column}::${type}`
      : `alter table ${table} modify ${column} ${type}`

  test('a new column of the source is added to the target, and said', async () => {
    await write('create table a (id integer primary key, name varchar(20))', "insert into a values (1, 'x')")
    await run(shop, 'run-1')
    await write('alter table a add column city varchar(30)', "update a set city = 'Oulu'")

    const second = await run(shop, 'run-2')

    assert.equal(second.error, null)
    assert.match(
      notesOf(second, 'shop-raw/a'),
      /the column city of rep-source.a is new at the source, so rep-target.a has it now/,
    )
    assert.deepEqual(await rowsOf(target, 'select id, name, city from a'), [['1', 'x', 'Oulu']])
  })

  test("a new column is left out and told of where the replica says columns: 'fixed'", async () => {
    const fixed = replicate('fixed-raw', { from: source, into: target, columns: 'fixed' })
    await write('create table a (id integer primary key, name varchar(20))', "insert into a values (1, 'x')")
    await run(fixed, 'run-1')
    await write('alter table a add column city varchar(30)', "update a set city = 'Oulu', name = 'y'")

    const second = await run(fixed, 'run-2')

    assert.equal(second.error, null)
    assert.match(notesOf(second, 'fixed-raw/a'), /the column city of rep-source.a is not taken over.*say 'follow'/)
    assert.deepEqual(await rowsOf(target, 'select * from a'), [['1', 'y']])
  })

  test('a column that is gone at the source is kept, and new rows have NULL there though it was NOT NULL', async () => {
    await write(
      'create table a (id integer primary key, name varchar(20) not null, old varchar(20) not null)',
      "insert into a values (1, 'x', 'o')",
    )
    await run(shop, 'run-1')
    await write('alter table a drop column old', "insert into a values (2, 'y')")

    const second = await run(shop, 'run-2')

    assert.equal(second.error, null)
    assert.match(
      notesOf(second, 'shop-raw/a'),
      /old of rep-source.a: not at the source any more, and rep-target.a keeps it/,
    )
    if (engine.dialect !== 'sqlite') {
      assert.deepEqual(await rowsOf(target, 'select id, name, old from a order by id'), [
        ['1', 'x', 'o'],
        ['2', 'y', null],
      ])
    }
  })

  test('a text that was widened at the source is widened in the target', { skip: false }, async () => {
    if (engine.dialect === 'sqlite') return
    await write('create table a (id integer primary key, name varchar(10) not null)', "insert into a values (1, 'x')")
    await run(shop, 'run-1')
    await write(changeType('a', 'name', 'varchar(50)'), `insert into a values (2, '${'y'.repeat(40)}')`)

    const second = await run(shop, 'run-2')

    assert.equal(second.error, null)
    assert.deepEqual(await rowsOf(target, 'select id, length(name) from a order by id'), [
      ['1', '1'],
      ['2', '40'],
    ])
  })

  test('a type that was narrowed is let be; what a key or a decimal has to hold now is said with the statement', async () => {
    if (engine.dialect === 'sqlite') return
    await write(
      'create table a (id integer primary key, name varchar(50), n bigint, price decimal(10,2))',
      "insert into a values (1, 'x', 1, 12345678.25)",
    )
    await run(shop, 'run-1')
    const narrowed = [changeType('a', 'name', 'varchar(10)'), changeType('a', 'n', 'integer')]
    await write(...narrowed, changeType('a', 'id', 'bigint'), changeType('a', 'price', 'decimal(12,4)'))
    await write("insert into a values (9999999999, 'y', 2, 1.1234)")

    const second = await run(shop, 'run-2')
    const notes = second.steps.get('shop-raw/a')?.notes ?? []
    for (const note of notes) await target.query(/Run `(alter table .+)` on/.exec(note)?.[1] as string)
    const third = await run(shop, 'run-3')

    assert.equal(second.steps.get('shop-raw/a')?.quarantined, 1)
    assert.deepEqual(notes.map((note) => /widens (\w+) /.exec(note)?.[1]).sort(), ['id', 'price'])
    assert.deepEqual([third.error, third.steps.get('shop-raw/a')?.notes], [null, null])
    assert.deepEqual(await rowsOf(target, 'select id, price from a order by id'), [
      ['1', '12345678.2500'],
      ['9999999999', '1.1234'],
    ])
  })

  test('a key that the source has no more is said, with what lets the rows in that it keeps out', async () => {
    const key = "insert into a values (1, 'x')"
    await write('create table a (id integer not null primary key, name varchar(50))', key)
    await run(shop, 'run-1')
    await write(
      'drop table a',
      'create table a (id integer, name varchar(50))',
      key,
      "insert into a values (null, 'y')",
    )
    await write(key)

    const second = await run(shop, 'run-2')
    await target.query('drop table a')
    const third = await run(shop, 'run-3')

    assert.equal(second.steps.get('shop-raw/a')?.quarantined, 2)
    assert.match(
      notesOf(second, 'shop-raw/a'),
      /rep-target.a has the primary key id, and rep-source.a has no key \(any more\).*Drop the table of rep-target/,
    )
    assert.deepEqual([third.error, await rowsOf(target, 'select count(*) from a')], [null, [['3']]])
  })

  test('a column that may be NULL now may be so in the target', async () => {
    if (engine.dialect === 'sqlite') return
    await write('create table a (id integer primary key, name varchar(10) not null)', "insert into a values (1, 'x')")
    await run(shop, 'run-1')
    await write(
      engine.dialect === 'postgres'
        ? 'alter table a alter column name drop not null'
        : 'alter table a modify name varchar(10) null',
      'insert into a values (2, null)',
    )

    const second = await run(shop, 'run-2')

    assert.equal(second.error, null)
    assert.deepEqual(await rowsOf(target, 'select id, name from a order by id'), [
      ['1', 'x'],
      ['2', null],
    ])
  })

  test('a column that became one of another kind stops its table alone, by name, with what to do', async () => {
    if (engine.dialect === 'sqlite') return
    await write(
      'create table a (id integer primary key, n integer)',
      'insert into a values (1, 5)',
      'create table b (id integer primary key)',
      'insert into b values (1)',
    )
    await run(shop, 'run-1')
    await write(changeType('a', 'n', 'varchar(20)'), "update a set n = 'five'", 'insert into b values (2)')

    const second = await run(shop, 'run-2')

    assert.equal(second.status, 'FAILED')
    assert.match(
      second.steps.get('shop-raw/a')?.error ?? '',
      /the column n of rep-source.a is .*varying.*|the column n of rep-source.a is varchar/,
    )
    assert.match(second.error ?? '', /1 of 2 tables did not succeed, the others have landed: a:/)
    assert.deepEqual(await rowsOf(target, 'select id from b order by id'), [['1'], ['2']])
    assert.deepEqual(await rowsOf(target, 'select id, n from a'), [['1', '5']])
  })

  test('a new table is taken over, and one that is gone is told of and kept', async () => {
    await write(
      'create table a (id integer primary key)',
      'insert into a values (1)',
      'create table b (id integer primary key)',
      'insert into b values (1)',
    )
    await run(shop, 'run-1')
    await write('drop table a', 'create table c (id integer primary key)', 'insert into c values (7)')

    const second = await run(shop, 'run-2')

    assert.equal(second.error, null)
    assert.match(notesOf(second, 'shop-raw'), /rep-source has a new table, which shop-raw takes over from now on: c/)
    assert.match(
      notesOf(second, 'shop-raw'),
      /shop-raw has copied a of rep-source, which it has no more.*rep-target keeps.*delete from dray_fence where pipeline in \('shop-raw\/a'\)/,
    )
    assert.deepEqual(
      [await rowsOf(target, 'select id from a'), await rowsOf(target, 'select id from c')],
      [[['1']], [['7']]],
    )
  })

  for (const deletes of ['hard', 'soft', 'ignore'] as const) {
    test(`rows that are gone at the source: deletes: '${deletes}'`, async () => {
      const replica = replicate('gone-raw', { from: source, into: target, deletes })
      await write('create table a (id integer primary key, name varchar(9))', "insert into a values (1, 'x'), (2, 'y')")
      await run(replica, 'run-1')
      await write('delete from a where id = 1')

      const second = await run(replica, 'run-2')

      assert.equal(second.error, null)
      const left = { hard: [['2']], soft: [['1'], ['2']], ignore: [['1'], ['2']] }[deletes]
      assert.deepEqual(await rowsOf(target, 'select id from a order by id'), left)
      if (deletes === 'soft') {
        assert.deepEqual(
          await rowsOf(target, 'select id, _deleted_at is null from a order by id').then((rows) =>
            rows.map(([id, isNull]) => [id, isNull === 't' || isNull === '1']),
          ),
          [
            ['1', false],
            ['2', true],
          ],
        )
      }
    })
  }

  test('a cursor is taken where a change cannot be missed; each table says how it is read and why', async () => {
    await write(
      `create table sound (id integer primary key, updated_at ${moment()} not null)`,
      'create index sound_by on sound (updated_at)',
      `create table nullable (id integer primary key, updated_at ${moment()} null)`,
      'create index nullable_by on nullable (updated_at)',
      `create table bare (id integer primary key, updated_at ${moment()} not null)`,
      'create table without (id integer primary key)',
      `insert into sound values (1, ${OLD})`,
    )
    const described = await Promise.all(
      ['sound', 'nullable', 'bare', 'without'].map((name) => livePipeline(shop, `shop-raw/${name}`)),
    )

    assert.deepEqual(
      described.map(({ table }) => [table.cursor, table.why]),
      [
        ['updatedAt', 'what has changed by updated_at'],
        [null, 'updated_at may be NULL, and such rows are in no window'],
        [null, 'no index begins with updated_at'],
        [null, 'it has no column updated_at'],
      ],
    )
    assert.equal((await run(shop, 'run-1')).steps.get('shop-raw/sound')?.inserted, 1)
    assert.equal((await run(shop, 'run-2')).steps.get('shop-raw/sound')?.read, 0)
  })

  test('a table of the target that was lost is not made anew behind last_run', async () => {
    await write(
      `create table a (id integer primary key, updated_at ${moment()} not null)`,
      'create index a_by on a (updated_at)',
      `insert into a values (1, ${OLD})`,
    )
    await run(shop, 'run-1')
    await target.query('drop table a')

    const second = await run(shop, 'run-2')
    await engine.harness.services.state.setLastRun('shop-raw/a', null, Date.now())
    const third = await run(shop, 'run-3')

    assert.match(second.error ?? '', /rep-target has no table a \(any more\).*npx dray state reset shop-raw\/a --yes/)
    assert.deepEqual([third.error, await rowsOf(target, 'select id from a')], [null, [['1']]])
  })

  test('columns are left out, masked as NULL, or masked by a keyed hash', async () => {
    const masked = replicate('masked-raw', {
      from: source,
      into: target,
      maskKey: () => 'a key',
      overrides: { a: { except: ['secret'], mask: { email: 'null', phone: 'hash' } } },
    })
    await write(
      'create table a (id integer primary key, email varchar(30) not null, phone varchar(30), secret varchar(30))',
      "insert into a values (1, 'a@b.c', '123', 's'), (2, 'd@e.f', null, 's')",
    )

    const first = await run(masked, 'run-1')

    assert.equal(first.error, null)
    const hash = createHmac('sha256', 'a key').update('123').digest('hex')
    assert.deepEqual(await rowsOf(target, 'select id, email, phone from a order by id'), [
      ['1', null, hash],
      ['2', null, null],
    ])
    await assert.rejects(rowsOf(target, 'select secret from a'))
    const second = await run(masked, 'run-2')
    assert.deepEqual(
      [second.error, second.steps.get('masked-raw')?.unchanged, notesOf(second, 'masked-raw/a')],
      [null, 2, ''],
    )
  })

  test('what hides a column is refused where it would hide nothing', async () => {
    const wrong = (override: TableOverride) =>
      replicate('wrong-raw', { from: source, into: target, overrides: { a: override } })
    await write('create table a (id integer primary key, email varchar(30))', "insert into a values (1, 'a')")

    const misspelt = await run(wrong({ mask: ['emial'] }), 'run-1')
    const ofKey = await run(wrong({ mask: ['id'] }), 'run-2')

    assert.match(misspelt.error ?? '', /overrides: \{ mask \} names emial, and rep-source.a has no such column/)
    assert.match(ofKey.error ?? '', /id is of the key of rep-source.a, .*neither masked nor left out/)
    assert.throws(() => wrong({ mask: { email: 'hash' } }), /there is no key, without which a hash tells what it hides/)
  })

  test('views are taken where they are named, by the key that is declared', async () => {
    const named = replicate('views-raw', {
      from: source,
      into: target,
      tables: ['*', 'v'],
      overrides: { v: { key: 'id' } },
      deletes: 'hard',
    })
    await write(
      'create table a (id integer primary key, name varchar(9))',
      "insert into a values (1, 'x'), (2, 'y')",
      'create view v as select id, name from a',
      'create view w as select id from a',
    )

    const first = await run(named, 'run-1')
    await write('delete from a where id = 1', "update a set name = 'z'")
    const second = await run(named, 'run-2')

    assert.deepEqual([first.error, second.error], [null, null])
    assert.deepEqual([...second.steps.keys()].sort(), ['views-raw', 'views-raw/a', 'views-raw/v'])
    assert.deepEqual(await rowsOf(target, 'select id, name from v'), [['2', 'z']])
  })

  test('a table without a key is replaced, or appended to by its cursor', async () => {
    const kept = replicate('log-raw', {
      from: source,
      into: target,
      cursor: 'at',
      overrides: { log: { load: 'append' } },
    })
    await write(
      `create table log (at ${moment()} not null, what varchar(9))`,
      'create index log_at on log (at)',
      `insert into log values (${OLD}, 'x'), (${OLD}, 'x')`,
      `create table bag (what varchar(9))`,
      "insert into bag values ('p')",
    )
    await run(kept, 'run-1')
    await write('delete from log', "insert into log values ('2024-02-01 10:00:00', 'y')", "update bag set what = 'q'")
    await engine.harness.services.state.setLastRun('log-raw/log', '2024-01-15 00:00:00.000000', Date.now())

    const second = await run(kept, 'run-2')

    assert.deepEqual(await rowsOf(target, 'select what from bag'), [['q']])
    assert.ok(second.steps.has('log-raw/log'))
  })

  test('two tables that would become one are both refused, the others land', async () => {
    const clashing = replicate('clash-raw', {
      from: source,
      into: target,
      name: ({ name }) => (name === 'c' ? 'c' : 'same'),
    })
    await write(
      'create table a (id integer primary key)',
      'create table b (id integer primary key)',
      'create table c (id integer primary key)',
      'insert into c values (1)',
    )

    const first = await run(clashing, 'run-1')

    assert.match(
      first.error ?? '',
      /2 of 3 tables did not succeed.*would both become rep-target.same, so neither was read/,
    )
    assert.deepEqual(await rowsOf(target, 'select id from c'), [['1']])
    await assert.rejects(rowsOf(target, 'select id from same'))
  })

  test('a name with dots is kept whole behind what is put in front of it; what is no name stops its table alone', async () => {
    const quote = engine.dialect === 'mysql' ? '`' : '"'
    const dotted = replicate('dots-raw', {
      from: source,
      into: target,
      name: ({ name }) => (name === 'b' ? 'x.y.z' : `p_${name}`),
    })
    await write(
      `create table ${quote}a.1${quote} (id integer primary key)`,
      `insert into ${quote}a.1${quote} values (1)`,
      'create table b (id integer primary key)',
    )

    const first = await run(dotted, 'run-1')

    assert.match(first.error ?? '', /1 of 2 tables did not succeed.*"x.y.z" is no name of a table/)
    assert.deepEqual(await rowsOf(target, `select id from ${quote}p_a.1${quote}`), [['1']])
  })

  test('bytes pass: rows of columns that are alike on both sides are loaded as they were read, unless one is masked', async () => {
    const { staging } = engine.harness.services
    const masked = replicate('half-raw', {
      from: source,
      into: target,
      maskKey: () => 'k',
      name: ({ name }) => `half_${name}`,
      overrides: { a: { mask: { name: 'hash' } } },
    })
    await write('create table a (id integer primary key, name varchar(9))', "insert into a values (1, 'x')")

    await run(shop, 'run-1')
    await run(masked, 'run-2')

    const staged = async (stage: 'extracted' | 'transformed', id: string, pipeline: string) =>
      (await staging.list(batchPrefix(stage, { run: id, pipeline, partition: 0 }))).length
    assert.equal(await staged('extracted', 'run-1', 'shop-raw/a'), 1)
    assert.equal(await staged('transformed', 'run-1', 'shop-raw/a'), engine.dialect === 'sqlite' ? 1 : 0)
    assert.equal(await staged('transformed', 'run-2', 'half-raw/a'), 1)
    assert.deepEqual(await rowsOf(target, 'select id, name from a'), [['1', 'x']])
  })

  test('bytes pass with NULL in columns that only the copy has: masked ones, and the mark of rows that are gone', async () => {
    const { services } = engine.harness
    const soft = replicate('soft-raw', {
      from: source,
      into: target,
      name: ({ name }) => `soft_${name}`,
      deletes: 'soft',
      overrides: { a: { mask: ['email', 'phone'], most: 1 } },
    })
    await write(
      'create table a (email varchar(99), id integer not null primary key, phone varchar(9), name text)',
      "insert into a values ('x@y', 1, '1', 'two\nlines'), ('y@z', 2, null, 'tab\there'), (null, 3, '3', null)",
    )
    const rows = () =>
      rowsOf(
        target,
        `select id, name, email, phone, case when _deleted_at is null then 'there' else 'gone' end from soft_a order by id`,
      )

    const first = await run(soft, 'run-1')
    await write('delete from a where id = 2')
    await run(soft, 'run-2')
    const without = await rows()
    await write("insert into a values ('y@z', 2, null, 'back')")
    const third = await run(soft, 'run-3')

    const [plan] = await services.staging.list(planPrefix('run-1', 'soft-raw/a'))
    const { bytesPass } = (await readJson(services.staging, plan as string)) as { bytesPass?: true }
    assert.deepEqual(
      [first.error, third.error, bytesPass],
      [null, null, engine.dialect === 'sqlite' ? undefined : true],
    )
    assert.deepEqual(
      without.map((row) => row.at(-1)),
      ['there', 'gone', 'there'],
    )
    assert.deepEqual(await rows(), [
      ['1', 'two\nlines', null, null, 'there'],
      ['2', 'back', null, null, 'there'],
      ['3', null, null, null, 'there'],
    ])
  })

  test('what the declaration names and the source has not is said; where nothing is chosen, the run fails', async () => {
    const misspelt = replicate('odd-raw', {
      from: source,
      into: target,
      tables: ['a', 'aa', '!b*'],
      overrides: { aaa: { deletes: 'hard' } },
    })
    const none = replicate('none-raw', { from: source, into: target, tables: ['x*'] })
    await write('create table a (id integer primary key)', 'create table b (id integer primary key)')

    const first = await run(misspelt, 'run-1')
    const second = await run(none, 'run-2')

    assert.equal(first.error, null)
    assert.match(notesOf(first, 'odd-raw'), /tables names aa, and rep-source has no such table.*overrides names aaa/)
    assert.match(second.error ?? '', /rep-source has no table that tables: \["x\*"\] chooses/)
  })

  test('a table that the user may not read is said; one without a column, or a view of nothing, fails by name', async () => {
    if (engine.dialect === 'sqlite') return
    await write('create table a (id integer primary key)', 'create table base (id integer primary key)')
    if (engine.dialect === 'mysql') await write('create view bare as select id from base', 'drop table base')
    else await write('create table bare ()')
    const url = new URL(process.env[urlVariable(source.name)] as string)
    const role = `reader${url.pathname.slice(-8)}`
    if (engine.dialect === 'postgres') {
      await write(`create role ${role} login password 'x'`, `grant select on a, bare to ${role}`)
      process.env[urlVariable(source.name)] = Object.assign(new URL(url), { username: role, password: 'x' }).href
      await source.close()
    }

    const first = await run(replicate('shop-raw', { from: source, into: target, tables: ['*', 'bare'] }), 'run-1')

    assert.equal(first.steps.get('shop-raw/a')?.status, 'success')
    assert.match(
      first.steps.get('shop-raw/bare')?.error ?? '',
      /rep-source.bare shows no column, so nothing was read: .* leave it out \(tables: '!bare'\), or mend it there/,
    )
    if (engine.dialect === 'mysql') return
    assert.match(notesOf(first, 'shop-raw'), /may not read as a whole, so nothing is taken of base: grant SELECT/)
    process.env[urlVariable(source.name)] = url.href
    await source.close()
    await write(`drop owned by ${role}`, `drop role ${role}`)
  })

  test("a table of the target's own rows is not replaced by a copy", async () => {
    await write('create table a (name varchar(20))', "insert into a values ('new')")
    await target.query('create table a (name varchar(20))')
    await target.query("insert into a values ('kept')")

    const first = await run(shop, 'run-1')
    const kept = await rowsOf(target, 'select name from a')
    await target.query('delete from a')
    await run(shop, 'run-2')
    const third = await run(shop, 'run-3')

    assert.match(
      first.steps.get('shop-raw/a')?.error ?? '',
      /rep-target.a is there with rows that no run of shop-raw\/a has loaded.*nothing was read; give the copy another name/,
    )
    assert.deepEqual([kept, third.error, await rowsOf(target, 'select name from a')], [[['kept']], null, [['new']]])
  })

  test('a table of the same name that was there before is said once, and refused where its key is another one', async () => {
    const { services } = engine.harness
    for (const name of ['a', 'b', 'c']) {
      await write(`create table ${name} (id integer not null primary key, v varchar(9) not null)`)
      await write(`insert into ${name} values (1, 'new')`)
    }
    await target.query('create table a (id integer not null primary key, v varchar(9))')
    await target.query("insert into a values (1, 'old'), (5, 'kept')")
    await target.query('create table b (id integer not null, v varchar(9) not null primary key)')
    await target.query('create table log (v varchar(9))')
    await target.query("insert into log values ('kept')")
    await write('create table log (v varchar(9))')

    const planned = await planReplica(shop, services)
    const first = await run(shop, 'run-1')
    const second = await run(shop, 'run-2')

    const noted = /rep-target.a was there before, with rows that no run of shop-raw\/a has loaded.*others stay/
    assert.match(notesOf(first, 'shop-raw/a'), noted)
    assert.equal(notesOf(second, 'shop-raw/a'), '')
    assert.deepEqual(await rowsOf(target, 'select id, v from a order by id'), [
      ['1', 'new'],
      ['5', 'kept'],
    ])
    const other =
      /rep-source.b has the key id, and rep-target.b has the key v and was not made by shop-raw\/b.*nothing was read/
    assert.match(first.steps.get('shop-raw/b')?.error ?? '', other)
    const of = (name: string) => planned.tables.find(({ table }) => table === name)
    assert.match(of('a')?.notes.join() ?? '', noted)
    assert.match(of('b')?.refused ?? '', other)
    assert.match(of('log')?.refused ?? '', /rep-target.log is there with rows that no run of shop-raw\/log has loaded/)
    assert.equal(of('c')?.refused, null)
  })

  test('a key that is another one now is said with what makes the copy anew', async () => {
    await write(
      'create table a (id integer not null primary key, place integer not null)',
      'insert into a values (1, 1)',
    )
    await run(shop, 'run-1')
    await write('drop table a', 'create table a (id integer not null, place integer not null, primary key (id, place))')
    await write('insert into a values (1, 1), (1, 2)')

    const second = await run(shop, 'run-2')
    await target.query('drop table a')
    const third = await run(shop, 'run-3')

    assert.match(
      second.steps.get('shop-raw/a')?.error ?? '',
      /a has the key id, place, and rep-target.a has the key id, .*drop that copy, and `npx dray state reset shop-raw\/a --yes`/,
    )
    assert.deepEqual([third.error, await rowsOf(target, 'select count(*) from a')], [null, [['2']]])
  })

  test('within one database, a copy is not copied again, and no table onto itself', async () => {
    const within = replicate('within', { from: source, into: target, name: ({ name }) => name.replace(/^a/, 'raw_a') })
    process.env[urlVariable(target.name)] = process.env[urlVariable(source.name)]
    await target.close()
    await write('create table a (id integer primary key)', 'insert into a values (1)', 'create table b (n integer)')
    await run(within, 'run-1')

    const second = await run(within, 'run-2')

    assert.deepEqual([...second.steps.keys()].sort(), ['within', 'within/a', 'within/b'])
    assert.deepEqual(await rowsOf(source, 'select id from raw_a'), [['1']])
    assert.match(
      second.steps.get('within/b')?.error ?? '',
      /rep-source and rep-target are one database, and b would be copied onto itself, so it was not touched; give its copy another name/,
    )
  })

  test('a run of some tables leaves the others; an unknown one is refused', async () => {
    await write(
      'create table a (id integer primary key)',
      'insert into a values (1)',
      'create table b (id integer primary key)',
      'insert into b values (1)',
    )

    const some = await run(shop, 'run-1', { tables: ['shop-raw/b'] })
    const unknown = await run(shop, 'run-2', { tables: ['shop-raw/x'] })

    assert.deepEqual([some.error, [...some.steps.keys()].sort()], [null, ['shop-raw', 'shop-raw/b']])
    assert.match(unknown.error ?? '', /shop-raw\/x is no table that it takes over/)
  })

  test('a table is a step of its own where a workflow says so, and the replica leaves it out', async () => {
    await write(
      'create table a (id integer primary key)',
      'insert into a values (1)',
      'create table b (id integer primary key)',
      'insert into b values (1)',
    )
    const own = step(shop.table('a'))

    const first = await run(shop, 'run-1', { steps: [own, step(shop, { after: [shop.table('a')] })] })

    assert.equal(first.error, null)
    assert.equal(first.steps.get('shop-raw')?.tables?.total, 1)
    assert.deepEqual([...first.steps.keys()].sort(), ['shop-raw', 'shop-raw/a', 'shop-raw/b'])
    assert.ok((first.steps.get('shop-raw/a')?.endTime ?? 0) <= (first.steps.get('shop-raw/b')?.startTime ?? 0))
  })

  test('a replica that another run holds is refused; a table that is held is left to its run', async () => {
    const { state } = engine.harness.services
    await write(
      'create table a (id integer primary key)',
      'insert into a values (1)',
      'create table b (id integer primary key)',
      'insert into b values (1)',
    )
    await state.acquireLease('shop-raw', 'other', Date.now(), Date.now() + 60_000)
    const whole = await run(shop, 'run-1')
    await state.releaseLease('shop-raw', 'other')
    await state.acquireLease('shop-raw/a', 'other', Date.now(), Date.now() + 60_000)
    const second = await run(shop, 'run-2')
    await state.releaseLease('shop-raw/a', 'other')
    const third = await run(shop, 'run-3')

    assert.deepEqual([whole.steps.get('shop-raw')?.status, whole.steps.size], ['refused', 1])
    assert.deepEqual(
      [second.steps.get('shop-raw/a')?.status, second.steps.get('shop-raw/b')?.status],
      ['refused', 'success'],
    )
    assert.deepEqual([third.error, await rowsOf(target, 'select id from a')], [null, [['1']]])
  })

  test('a row that the target refuses is kept in the quarantine of its table, and replayed from there', async () => {
    if (engine.dialect === 'sqlite') return
    await write(
      'create table a (id integer primary key, name varchar(20))',
      "insert into a values (1, 'x'), (2, 'bad')",
    )
    await run(shop, 'run-1')
    await target.query("alter table a add constraint no_bad check (name <> 'worse')")
    await write("update a set name = 'worse' where id = 2")
    const second = await run(shop, 'run-2')
    const kept = await quarantined(engine.harness, 'run-2', 'shop-raw/a')
    await target.query(
      engine.dialect === 'postgres' ? 'alter table a drop constraint no_bad' : 'alter table a drop constraint no_bad',
    )

    const third = await run(shop, 'run-3', { tables: ['shop-raw/a'], mode: { replay: {} } })

    assert.deepEqual([second.error, second.steps.get('shop-raw/a')?.quarantined, kept.length], [null, 1, 1])
    assert.deepEqual([third.error, await rowsOf(target, 'select name from a where id = 2')], [null, [['worse']]])
  })

  test('a run that failed is resumed: what has landed is not done again', async () => {
    if (engine.dialect === 'sqlite') return
    await write(
      'create table a (id integer primary key)',
      'insert into a values (1)',
      'create table b (id integer primary key, n integer)',
      'insert into b values (1, 1)',
    )
    await target.query('create table b (id integer primary key, n date)')
    const first = await run(shop, 'run-1')
    await target.query('drop table b')

    const second = await run(shop, 'run-2', { mode: { resume: 'run-1' } })

    assert.deepEqual(
      [first.steps.get('shop-raw/a')?.status, first.steps.get('shop-raw/b')?.status],
      ['success', 'failed'],
    )
    assert.equal(second.error, null)
    assert.match(notesOf(second, 'shop-raw/a'), /run run-1 has done this step already/)
    assert.deepEqual(await rowsOf(target, 'select id, n from b'), [['1', '1']])
  })
})

onEachEngine('a replica of a SQLite database', [target], (engine) => {
  const numbers = replicate('numbers', { from: source, into: target })
  const numbersRun = (id: string) => runReplica(numbers, id, engine.harness.services)

  test('runs again over columns whose digits the values have decided', async () => {
    process.env[urlVariable(source.name)] = `sqlite:${join(engine.harness.folder, 'source.db')}`
    await source.close()
    await source.query('create table a (id integer primary key, n numeric, d decimal(4,1), t numeric)')
    await source.query("insert into a values (1, 1.5, 12345.678, 'abc')")
    const first = await numbersRun('run-1')
    await source.query("insert into a values (2, 100.25, 2.5, 'def')")

    const second = await numbersRun('run-2')

    assert.deepEqual([first.error, second.error], [null, null])
    assert.deepEqual([second.steps.get('numbers/a')?.quarantined, second.steps.get('numbers/a')?.notes], [0, null])
    const found = await rowsOf(target, 'select n, d, t from a order by id')
    assert.deepEqual(
      found.map(([n, d, t]) => [Number(n), Number(d), t]),
      [
        [1.5, 12345.678, 'abc'],
        [100.25, 2.5, 'def'],
      ],
    )
    await source.close()
  })

  test('a key that is a number in one row and the same as a text in another one stops its table, and no row is lost', async () => {
    process.env[urlVariable(source.name)] = `sqlite:${join(engine.harness.folder, 'source.db')}`
    await source.close()
    for (const sql of [
      'create table a (k not null primary key, v)',
      "insert into a values (1, 'x'), ('1', 'y'), ('b', 'z')",
      'create table b (place integer not null, k not null, v, primary key (place, k))',
      "insert into b values (1, 1, 'x'), (2, '1', 'y'), (2, 'b', 'z'), (3, 1.5, 'q')",
    ]) {
      await source.query(sql)
    }

    const first = await numbersRun('run-1')
    await source.query("update a set k = 'c' where typeof(k) = 'text' and k = '1'")
    const second = await numbersRun('run-2')
    await source.query("insert into b values (3, '1.5', 'r')")
    const third = await numbersRun('run-3')

    assert.match(
      first.steps.get('numbers/a')?.error ?? '',
      /two rows of rep-source.a have the key 1, one as a number and one as a text, .* so nothing was read; give one/,
    )
    assert.deepEqual([second.error, third.steps.get('numbers/a')?.status], [null, 'success'])
    assert.match(third.steps.get('numbers/b')?.error ?? '', /have the key 3, 1.5, one as a number and one as a text/)
    assert.deepEqual(await rowsOf(target, 'select v from a order by v'), [['x'], ['y'], ['z']])
    assert.deepEqual(await rowsOf(target, 'select v from b order by v'), [['q'], ['x'], ['y'], ['z']])
    await source.close()
  })
})

onEachEngine('a replica of a PostgreSQL database', [target], (engine) => {
  const keys = replicate('keys', { from: source, into: target })

  test('runs again over keys that the target can hold as texts alone', async () => {
    const postgres = await startPostgres()
    process.env[urlVariable(source.name)] = await postgres.createDatabase()
    await source.close()
    await source.query('create table a (n numeric primary key, j jsonb)')
    await source.query('create table b (j jsonb primary key)')
    await source.query(`insert into a values (1.05, '{"a": 1.10}'), (1e40, null)`)
    await source.query(`insert into b values ('{"a": 1}')`)
    const first = await runReplica(keys, 'run-1', engine.harness.services)

    const second = await runReplica(keys, 'run-2', engine.harness.services)

    assert.deepEqual([first.error, second.error], [null, null])
    const { unchanged, notes } = second.steps.get('keys') ?? {}
    assert.deepEqual([unchanged, notes, second.steps.get('keys/a')?.notes], [3, null, null])
    await source.close()
    await postgres.stop()
  })
})
