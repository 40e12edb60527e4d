import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import type { Connection } from 'dray/internal/database/adapter.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { changedSince, type NullCursors, xid } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { commitRun, type Harness, openHarness, planRun, prepare, runPipeline } from '#test/pipeline/harness.ts'
import { mysqlUnavailable, othersSkipped, startMysqlServer } from '#test/services/mysql-server.ts'
import { privateServer } from './kill/server.ts'

/*
 * Silent losses of reading that were seen in other tools, each as it was reported. The databases are in a zone that is
 * not UTC. A replace that empties the target (dlt#3025, airbyte#11251) is in test/dray/pipeline/replace.test.ts.
 */

const source = database('losses-source')
const target = database('losses-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  changedAt: timestamp().nullable(),
}) {}
class Numbered extends source.table('numbered', { id: bigint().primaryKey(), changedBy: bigint() }) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: text().nullable() }) {}
const models = [Item, Product] as unknown as ModelClass[]

function items({
  nulls = 'error',
  partitionRows = 50_000,
}: {
  nulls?: NullCursors
  partitionRows?: number
} = {}): Pipeline {
  return pipeline('items', {
    extract: changedSince(Item, { cursor: 'changedAt', lag: '0s', nulls, partitionRows, zone: 'UTC' }),
    transform: ({ id, label }) => ({ id, label }),
    load: upsert(Product, { by: 'id' }),
  }) as unknown as Pipeline
}

const numbered = pipeline('numbered', {
  extract: changedSince(Numbered, { cursor: xid('changedBy') }),
  transform: ({ id }) => ({ id }),
  load: upsert(Product, { by: 'id' }),
}) as unknown as Pipeline

interface Server {
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

const ZONE = { postgres: 'Asia/Kolkata', mysql: '+05:30' } as const
const NOW = { postgres: 'clock_timestamp()', mysql: 'utc_timestamp(6)' } as const

function silentLosses(
  dialect: 'postgres' | 'mysql',
  start: () => Promise<Server>,
  skip: string | undefined,
  more: (harness: () => Harness) => void = () => {},
): void {
  describe(`what was lost in silence elsewhere is not lost on ${dialect}`, { skip: skip ?? false }, () => {
    let harness: Harness
    let server: Server

    before(async () => {
      server = await start()
    })
    after(async () => {
      await Promise.all([source.close(), target.close()])
      await server?.stop()
      await harness?.close()
    })
    beforeEach(async () => {
      await Promise.all([source.close(), target.close()])
      await harness?.close()
      harness = await openHarness()
      for (const { name } of [source, target]) process.env[urlVariable(name)] = await server.createDatabase()
      if (dialect === 'postgres') await inZone(source)
      for (const model of models) await model.createTable()
    })

    const products = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))
    const run = (id: string, options = {}) => runPipeline(items(options), id, harness.services)
    const lastRun = async () => (await harness.services.state.pipeline('items'))?.lastRun ?? ''

    test('dlt#2269, airbyte#85918, airbyte#80152, kafka-connect-jdbc#172: a transaction that commits late', async () => {
      const insert = (id: number) => `insert into item (id, changed_at) values (${id}, ${NOW[dialect]})`
      await inTransaction(source, async (a) => {
        await a.query(insert(1))
        await source.query(insert(2))
        await run('run-1')
        assert.ok(!(await products()).includes(1))
      })

      await run('run-2')

      assert.deepEqual(await products(), [1, 2])
    })

    test('airbyte#15427, mage-ai#3198: a thousand equal cursors at the border of pages and partitions', async () => {
      const changedAt = timestampOf('2024-01-01 00:00:00.123456')
      await Item.insertAll(Array.from({ length: 1000 }, (_, index) => ({ id: BigInt(index), changedAt })))

      const output = await run('run-1', { partitionRows: 50 })

      assert.deepEqual([output.read, output.inserted, output.duplicate], [1000, 1000, 0])
    })

    test('airbyte#15427: a row whose cursor is that of the end of the last window', async () => {
      const { last_run_after: hi } = await run('run-1')
      await Item.insertAll([{ id: 1n, changedAt: timestampOf(hi ?? '') }])

      const second = await run('run-2')
      const third = await run('run-3')

      assert.deepEqual([second.read, third.read], [1, 0])
    })

    test('node-postgres#1200, airbyte#76309, airbyte#84400, sling#307, sling#471: cursors that differ in a microsecond', async () => {
      await setLastRun(items(), '2024-01-01 00:00:00.000002', harness.services)
      await Item.insertAll(
        [1, 2, 3].map((micros) => ({
          id: BigInt(micros),
          changedAt: timestampOf(`2024-01-01 00:00:00.00000${micros}`),
        })),
      )

      await run('run-1')

      assert.deepEqual(await products(), [2, 3])
      assert.match(await lastRun(), /\.\d{6}$/)
    })

    test('sling#307: a column of whole seconds, in which a later row has the stamp of an earlier one', async () => {
      const type = dialect === 'postgres' ? 'timestamptz(0)' : 'datetime'
      await source.query(
        `alter table item ${dialect === 'postgres' ? 'alter column changed_at type' : 'modify changed_at'} ${type}`,
      )

      await run('run-1')

      assert.match(await lastRun(), /\.000000$/)
    })

    test('sling#380, dlt#1935: rows without a cursor are refused with their number, or read as was asked', async () => {
      await Item.insertAll([{ id: 1n }, { id: 2n, changedAt: timestampOf('2024-01-01 00:00:00') }])

      await assert.rejects(run('run-1'), /1 row of losses-source\.item has no changed_at/)
      await harness.services.state.releaseLease('items', 'run-1')
      await run('run-2', { nulls: 'include', partitionRows: 1 })

      assert.deepEqual(await products(), [1, 2])
    })

    test('airbyte#83778, airbyte#43327, node-mysql2#877: a server that is in another zone', async () => {
      const zone =
        dialect === 'postgres' ? 'select setconfig::text from pg_db_role_setting' : 'select @@global.time_zone'
      assert.match((await source.query(zone)).rows[0]?.[0] ?? '', dialect === 'postgres' ? /Asia.Kolkata/ : /^\+05:30$/)
      await source.query(`insert into item (id, changed_at) values (1, ${NOW[dialect]})`)
      await run('run-1')
      const first = await products()
      await source.query(`insert into item (id, changed_at) values (2, ${NOW[dialect]})`)

      await run('run-2')

      assert.deepEqual([first, await products()], [[1], [1, 2]])
      const apart = Math.abs(Date.parse(`${(await lastRun()).replace(' ', 'T')}Z`) - Date.now())
      assert.ok(apart < 60_000, `last_run is ${await lastRun()}`)
    })

    test('dlt#4052, target-bigquery#94, pipelinewise-target-snowflake#286: a run that dies between data and state', async () => {
      await Item.insertAll([{ id: 1n, label: 'one', changedAt: timestampOf('2024-01-01 00:00:00') }])
      const planned = await planRun(items(), 'run-1', harness.services)
      await load(items(), await prepare(items(), 'run-1', planned, 0, harness.services), harness.services)
      await harness.services.state.releaseLease('items', 'run-1')
      assert.equal(await lastRun(), '')

      const output = await run('run-2')

      assert.deepEqual([output.read, output.unchanged, await products()], [1, 1, [1]])
    })

    test('dlt#1102, dlt#4297: two runs at once, of which one would load what the other has loaded', async () => {
      await Item.insertAll([{ id: 1n, label: 'one', changedAt: timestampOf('2024-01-01 00:00:00') }])
      const planned = await planRun(items(), 'run-1', harness.services)

      await assert.rejects(run('run-2'), { name: 'LeaseHeld', message: /is held by run-1 until/ })

      await load(items(), await prepare(items(), 'run-1', planned, 0, harness.services), harness.services)
      const output = await commitRun(items(), 'run-1', planned, harness.services)
      const third = await run('run-3')
      assert.deepEqual([output.inserted, third.read, await products()], [1, 0, [1]])
      const entries = await target.query("select run_id from dray_ledger where run_id <> 'run-3'")
      assert.deepEqual(entries.rows, [['run-1']])
    })

    more(() => harness)
  })
}

/** New sessions of the database have a zone of half hours. */
async function inZone(of: Database): Promise<void> {
  const [[name] = []] = (await of.query('select current_database()')).rows
  await of.query(`alter database "${name}" set timezone to '${ZONE.postgres}'`)
  await of.close()
}

/** Commits at the end of `work`. */
async function inTransaction(of: Database, work: (connection: Connection) => Promise<void>): Promise<void> {
  const adapter = await of.adapter()
  const connection = await adapter.acquire()
  try {
    await connection.begin('write')
    await work(connection)
    await connection.commit()
  } finally {
    await adapter.release(connection)
  }
}

function xidCursor(harness: () => Harness): void {
  const products = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))
  const run = (id: string) => runPipeline(numbered, id, harness().services)
  const createNumbered = async () => {
    await source.query(
      'create table numbered (id bigint primary key, changed_by xid8 not null default pg_current_xact_id())',
    )
    await source.query(
      'create function stamp() returns trigger language plpgsql as $$ begin new.changed_by := pg_current_xact_id(); return new; end $$',
    )
    await source.query('create trigger stamp before update on numbered for each row execute function stamp()')
  }

  test('with an xid cursor: a transaction that commits late, without lag or clock', async () => {
    await createNumbered()
    await inTransaction(source, async (a) => {
      await a.query('insert into numbered (id) values (1)')
      await source.query('insert into numbered (id) values (2)')
      await run('run-1')
      assert.deepEqual(await products(), [])
    })
    const second = await run('run-2')
    await source.query('update numbered set id = 3 where id = 1')

    const third = await run('run-3')
    const fourth = await run('run-4')

    assert.deepEqual([second.read, third.read, fourth.read], [2, 1, 0])
    assert.deepEqual(await products(), [1, 2, 3])
    assert.deepEqual((await harness().services.state.run('run-1'))?.steps[0]?.notes, [
      '1 row of losses-source.numbered is newer than the window, and waits until what is open now has ended',
    ])
  })

  test('with an xid cursor: a server whose transactions are numbered anew is refused', async () => {
    await createNumbered()
    await setLastRun(numbered, '999999999999', harness().services)

    await assert.rejects(run('run-1'), /this is another server, or one restored from a dump/)
  })
}

// One of its own: transactions of other tests would hold the windows back.
silentLosses('postgres', () => privateServer('postgres') as Promise<Server>, othersSkipped, xidCursor)
silentLosses(
  'mysql',
  async () => {
    const server = await startMysqlServer({ arguments: [`--default-time-zone=${ZONE.mysql}`] })
    return server
  },
  mysqlUnavailable,
)
