import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, date, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { MYSQL_NAME, mysqlUnavailable } from '#test/services/mysql-server.ts'
import { startMysql } from './engines.ts'
import { type Harness, openHarness, quarantined, runPipeline } from './harness.ts'

const source = database('impossible-dates-source')
const target = database('impossible-dates-target')

const fields = { shop: bigint().primaryKey(), day: date().primaryKey(), label: text() }
class Day extends source.table('day', fields) {}
class Kept extends target.table('kept', fields) {}
class Version extends target.table('version', {
  shop: bigint(),
  day: date(),
  label: text(),
  validFrom: timestamp(),
  validTo: timestamp().nullable(),
}) {}
class Stamped extends source.table('stamped', { id: bigint().primaryKey(), changedAt: timestamp() }) {}
class Landed extends target.table('landed', { id: bigint().primaryKey() }) {}
class Moment extends source.table('moment', { at: text().primaryKey(), label: text() }) {}
class Written extends target.table('written', { at: varchar(30).primaryKey(), label: text() }) {}

const bears = { quarantine: { rows: 1_000, share: 1 } }
const days = (partitionRows: number, rest: object) =>
  pipeline('days', {
    extract: fullLoad(Day, { partitionRows }),
    transform: ({ shop, day, label }: Day) => ({ shop, day, label }),
    ...bears,
    ...rest,
  } as never) as unknown as Pipeline
const ways = {
  upsert: { load: upsert(Kept, { by: ['shop', 'day'] }), deletes: { hard: true, most: 1 } },
  append: { load: append(Kept) },
  replace: { load: replace(Kept, { most: 1 }) },
  history: {
    load: history(Version, { by: ['shop', 'day'], validFrom: 'validFrom', validTo: 'validTo' }),
    deletes: { close: true, most: 1 },
  },
}

const IMPOSSIBLE = ['0000-00-00', '2021-00-00', '2021-02-30']

describe(`dates that are none, in keys of ${MYSQL_NAME}`, { skip: mysqlUnavailable ?? false }, () => {
  let server: Awaited<ReturnType<typeof startMysql>>
  let harness: Harness

  before(async () => {
    server = await startMysql()
  })
  after(() => server?.stop())
  beforeEach(async () => {
    harness = await openHarness()
    for (const one of [source, target]) process.env[urlVariable(one.name)] = (await server?.createDatabase()) ?? ''
    await source.query('create table day (shop bigint, day date, label text, primary key (shop, day))')
    await target.query('create table kept (shop bigint, day date, label text, primary key (shop, day))')
    await target.query(
      'create table version (shop bigint not null, day date not null, label text, valid_from datetime(6) not null, valid_to datetime(6), primary key (shop, day, valid_from))',
    )
  })
  afterEach(async () => {
    await Promise.all([source.close(), target.close()])
    await harness.close()
  })

  /** As a server takes them that is in another mode. */
  async function insert(into: typeof source, table: string, values: string): Promise<void> {
    await into.transaction(async () => {
      await into.query("set sql_mode = 'ALLOW_INVALID_DATES'")
      await into.query(`insert into ${table} values ${values}`)
    })
    // The session has the mode.
    await into.close()
  }

  const fill = () =>
    insert(
      source,
      'day',
      [...IMPOSSIBLE, '2019-01-01', '2021-01-01', '2023-01-01']
        .flatMap((day) => [`(1, '${day}', 'a')`, `(2, '${day}', 'b')`])
        .join(', '),
    )

  for (const way of ['upsert', 'append', 'replace', 'history'] as const) {
    for (const partitionRows of [1, 3]) {
      test(`are quarantined alone: ${way}, ${partitionRows} rows a partition`, async () => {
        const of = days(partitionRows, ways[way])
        await fill()

        const done = await runPipeline(of, 'run-1', harness.services)
        const refused = await quarantined(harness, 'run-1', 'days')

        assert.deepEqual([done.read, done.inserted, done.quarantined], [12, 6, 6])
        const keys = refused.map(({ row }) => `${row.shop} ${row.day}`)
        assert.deepEqual(
          keys.sort(),
          [1, 2].flatMap((shop) => IMPOSSIBLE.map((day) => `${shop} ${day}`)),
        )
        assert.ok(refused.every(({ errors }) => errors[0]?.code === 'invalid_date'))
        const table = way === 'history' ? 'version' : 'kept'
        const { rows } = await target.query(`select count(*), count(distinct shop, day) from ${table}`)
        assert.deepEqual(rows, [['6', '6']])
      })
    }
  }

  for (const partitionRows of [1, 100]) {
    test(`are no reason for a deletion, and gone when they are: ${partitionRows} rows a partition`, async () => {
      const of = days(partitionRows, ways.upsert)
      await fill()
      await insert(target, 'kept', "(1, '0000-00-00', 'old'), (1, '2021-02-30', 'old'), (1, '2021-02-31', 'old')")

      const first = await runPipeline(of, 'run-1', harness.services)
      const step = (await harness.services.state.run('run-1'))?.steps[0]
      const { rows } = await target.query("select day from kept where label = 'old' order by day")

      assert.deepEqual([first.inserted, step?.deleted], [6, 1])
      assert.deepEqual(rows, [['0000-00-00'], ['2021-02-30']])
    })
  }

  test('are compared by reconcile', async () => {
    const of = days(1, ways.upsert)
    await fill()
    await runPipeline(of, 'run-1', harness.services)
    await insert(target, 'kept', "(3, '0000-00-00', 'extra')")
    await target.query("update kept set label = 'other' where shop = 1 and day = '2021-01-01'")

    const report = await reconcile(of, harness.services, {})

    assert.deepEqual(report.counts, { missing: 0, extra: 1, different: 1 })
    assert.equal(report.leftOut.quarantined, 6)
  })

  test('are a cursor, and no missing one', async () => {
    await source.query('create table stamped (id bigint primary key, changed_at datetime(6) not null)')
    await target.query('create table landed (id bigint primary key)')
    await insert(source, 'stamped', IMPOSSIBLE.map((day, id) => `(${id}, '${day}')`).join(', '))
    const of = pipeline('stamps', {
      extract: changedSince(Stamped, { cursor: 'changedAt', lag: '0s', zone: 'UTC', partitionRows: 1 }),
      transform: ({ id }: Stamped) => ({ id }),
      load: upsert(Landed, { by: 'id' }),
    }) as unknown as Pipeline

    const first = await runPipeline(of, 'run-1', harness.services)
    const second = await runPipeline(of, 'run-2', harness.services)

    assert.deepEqual([first.inserted, second.read], [3, 0])
  })

  test('are carried by a text()', async () => {
    await source.query('create table moment (at datetime(3) primary key, label text)')
    await target.query('create table written (at varchar(30) primary key, label text)')
    const moments = [
      ...IMPOSSIBLE.map((day) => `${day} 00:00:00.000`),
      '2021-02-30 10:11:12.500',
      '2021-01-01 10:00:00.000',
    ]
    await insert(source, 'moment', moments.map((at) => `('${at}', 'a')`).join(', '))
    const of = pipeline('moments', {
      extract: fullLoad(Moment, { partitionRows: 1 }),
      transform: ({ at, label }: Moment) => ({ at, label }),
      load: upsert(Written, { by: 'at' }),
      deletes: { hard: true, most: 1 },
    }) as unknown as Pipeline

    const first = await runPipeline(of, 'run-1', harness.services)
    const second = await runPipeline(of, 'run-2', harness.services)
    const some = await runPipeline(of, 'run-3', harness.services, { keys: moments.slice(0, 4) })
    const { rows } = await target.query('select at from written')

    assert.deepEqual([first.inserted, second.unchanged, some.unchanged], [5, 5, 4])
    assert.deepEqual(rows.flat().sort(), moments.sort())
  })
})
