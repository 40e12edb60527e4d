import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { DataQualityError, TerminalError } from 'dray/internal/errors.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { mysqlUnavailable, othersSkipped } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'
import { startMysql } from './engines.ts'
import {
  commitRun,
  type Harness,
  openHarness,
  planRun,
  prepare,
  quarantined,
  runPipeline,
  runReference,
} from './harness.ts'

const source = database('pipeline-source')
const target = database('pipeline-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  changedAt: timestamp().nullable(),
}) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: varchar(10) }) {}

const transformItem = (item: Item, row: { reject(field: string, code: string): null }) => {
  if (item.label === 'skip') return null
  if (item.label === null) return row.reject('label', 'missing')
  if (item.label === 'boom') throw new TypeError('boom')
  return { id: item.id < 0n ? -item.id : item.id, label: item.label }
}
const full = pipeline('items', {
  extract: fullLoad(Item, { partitionRows: 3 }),
  transform: transformItem,
  load: upsert(Product, { by: 'id' }),
})
const incremental = pipeline('items', {
  extract: changedSince(Item, { cursor: 'changedAt', lag: '0s' }),
  transform: transformItem,
  load: upsert(Product, { by: 'id' }),
})
const models = [Item, Product] as unknown as ModelClass[]

interface Server {
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

function pipelineSuite(
  dialect: string,
  start: () => Promise<Server | null>,
  skip: string | undefined = undefined,
): void {
  describe(`a pipeline on ${dialect}`, { skip: skip ?? false }, () => {
    let harness: Harness
    let server: Server | null = null

    before(async () => {
      server = await start()
    })
    after(async () => {
      await Promise.all([source.close(), target.close()])
      await server?.stop()
      await harness.close()
    })
    beforeEach(async () => {
      await Promise.all([source.close(), target.close()])
      await harness?.close()
      harness = await openHarness()
      for (const { name } of [source, target]) {
        process.env[urlVariable(name)] =
          server === null ? `sqlite:${join(harness.folder, `${name}.db`)}` : await server.createDatabase()
      }
      for (const model of models) await model.createTable()
    })

    test('stops where the transform throws at each row, before all of them are quarantined', async () => {
      await Item.insertAll(Array.from({ length: 2_500 }, (_, id) => ({ id: BigInt(id + 1), label: 'boom' })))
      const broken = pipeline('items', { extract: fullLoad(Item), transform: transformItem, load: full.load })

      await assert.rejects(runPipeline(broken, 'run-1', harness.services), {
        name: 'Terminal',
        message:
          /items: the transform threw TypeError: boom, and so at each of the first 1001 rows of partition 0.*last_run stays.*dray preview items/,
      })

      assert.deepEqual(await quarantined(harness, 'run-1', 'items'), [])
    })

    test('goes on where the transform throws at many rows, and one has come through', async () => {
      await Item.insertAll(
        Array.from({ length: 1_500 }, (_, id) => ({ id: BigInt(id + 1), label: id === 0 ? 'fine' : 'boom' })),
      )
      const bearing = pipeline('items', {
        extract: fullLoad(Item),
        transform: transformItem,
        load: full.load,
        quarantine: { share: 1 },
      })

      await assert.rejects(runPipeline(bearing, 'run-1', harness.services), { name: 'DataQuality' })

      assert.equal((await quarantined(harness, 'run-1', 'items')).length, 1_499)
    })

    test('accounts for every row, and keeps what it could not load with the reason', async () => {
      await Item.insertAll([
        { id: 1n, label: 'one' },
        { id: 2n, label: 'skip' },
        { id: 3n, label: null },
        { id: 4n, label: 'boom' },
        { id: 5n, label: 'five\ttabs' },
        { id: 6n, label: 'six is far too long for it' },
        { id: -7n, label: 'seven' },
        { id: 7n, label: 'seven' },
      ])

      const output = await runPipeline(full, 'run-1', harness.services)

      assert.deepEqual(output, {
        read: 8,
        inserted: 3,
        updated: 0,
        unchanged: 1,
        filtered: 1,
        duplicate: 0,
        quarantined: 3,
        deleted: 0,
        left: 0,
        last_run_before: null,
        last_run_after: null,
      })
      assert.deepEqual(
        (await Product.all().order('id').toArray()).map(({ id, label }) => [id, label]),
        [
          [1n, 'one'],
          [5n, 'five\ttabs'],
          [7n, 'seven'],
        ],
      )
      const kept = (await quarantined(harness, 'run-1', 'items')).map(({ row, errors }) => [row.id, errors[0]?.code])
      assert.deepEqual(kept.sort(), [
        ['3', 'missing'],
        ['4', 'transform_failed'],
        ['6', 'too_long'],
      ])
    })

    test('a second run of the same rows changes nothing', async () => {
      await Item.insertAll(Array.from({ length: 10 }, (_, index) => ({ id: BigInt(index), label: `${index}` })))
      await runPipeline(full, 'run-1', harness.services)

      const again = await runPipeline(full, 'run-2', harness.services)

      assert.deepEqual([again.read, again.inserted, again.updated, again.unchanged], [10, 0, 0, 10])
    })

    test('Finish leaves a step as succeeded that committed before its branch broke, and fails the run', async () => {
      await Item.insertAll([{ id: 1n, label: 'one', changedAt: null }])
      await runPipeline(full, 'run-1', harness.services)

      await finish(
        { run: runReference('run-1'), steps: { items: { status: 'failed', reason: 'the branch broke' } } },
        harness.services,
      )

      const run = await harness.services.state.run('run-1')
      assert.deepEqual([run?.run?.status, run?.run?.error], ['failed', 'items: the branch broke'])
      assert.deepEqual(
        run?.steps.map(({ step, status, error }) => [step, status, error]),
        [['items', 'success', null]],
      )
    })

    test('reads only what changed since the last run, and moves last_run to the end of the window', async () => {
      await Item.insertAll([
        { id: 1n, label: 'one', changedAt: timestampOf('2024-01-01 00:00:00') },
        { id: 2n, label: 'two', changedAt: timestampOf('2024-01-01 00:00:00.000001') },
      ])
      const first = await runPipeline(incremental, 'run-1', harness.services)
      assert.equal(first.read, 2)
      const { until } = await source.withConnection((connection) => connection.settledUntil(0))
      await Item.upsertAll([{ id: 2n, label: 'changed', changedAt: timestampOf(until) }], { by: 'id' })
      // SQLite's windows may end at whole seconds, and MariaDB's 2 s before the oldest transaction of the server.
      const millisecondsOf = (text: string) => Date.parse(`${text.replace(' ', 'T')}Z`)
      const wait = dialect === 'mysql' ? 3_000 : 1_000
      for (let now = until; millisecondsOf(now) < millisecondsOf(until) + wait; await delay(50)) {
        now = (await source.withConnection((connection) => connection.settledUntil(0))).until
      }

      const second = await runPipeline(incremental, 'run-2', harness.services)
      const third = await runPipeline(incremental, 'run-3', harness.services)

      assert.deepEqual([second.read, second.updated, second.last_run_before], [1, 1, first.last_run_after])
      assert.equal(third.read, 0)
      assert.equal((await harness.services.state.pipeline('items'))?.lastRun, third.last_run_after)
    })

    test('refuses a window when rows have no cursor, and says how many', async () => {
      await Item.insertAll([
        { id: 1n, label: 'one' },
        { id: 2n, label: 'two' },
      ])

      await assert.rejects(
        planRun(incremental, 'run-1', harness.services),
        /2 rows of pipeline-source.item have no changed_at/,
      )

      assert.equal((await harness.services.state.pipeline('items'))?.lastRun, null)
    })

    test('a load delivered twice writes once', async () => {
      await Item.insertAll([{ id: 1n, label: 'one' }])
      const planned = await planRun(full, 'run-1', harness.services)
      const input = await prepare(full, 'run-1', planned, 0, harness.services)
      await load(full, input, harness.services)
      await Product.deleteAll()

      await load(full, input, harness.services)

      assert.equal(await Product.count(), 0)
      assert.equal((await commitRun(full, 'run-1', planned, harness.services)).inserted, 1)
    })

    test('a writer that was overtaken writes nothing', async () => {
      await Item.insertAll([{ id: 1n, label: 'one' }])
      const planned = await planRun(full, 'run-1', harness.services)
      const input = await prepare(full, 'run-1', planned, 0, harness.services)
      await harness.services.state.releaseLease('items', 'run-1')
      await planRun(full, 'run-2', harness.services)

      await assert.rejects(
        load(full, input, harness.services),
        (error: Error) => error instanceof TerminalError && /epoch/.test(error.message),
      )
      await assert.rejects(commitRun(full, 'run-1', planned, harness.services), TerminalError)

      assert.equal(await Product.count(), 0)
    })

    test('a second run is refused while the first one holds the lease', async () => {
      await planRun(full, 'run-1', harness.services)

      await assert.rejects(planRun(full, 'run-2', harness.services), { name: 'LeaseHeld' })
      assert.equal((await harness.services.state.pipeline('items'))?.pending, true)
    })

    test('too many rows in the quarantine fail the commit, and nothing advances', async () => {
      const changedAt = timestampOf('2024-01-01 00:00:00')
      await Item.insertAll(
        Array.from({ length: 30 }, (_, index) => ({ id: BigInt(index), label: index < 11 ? null : 'x', changedAt })),
      )
      const planned = await planRun(incremental, 'run-1', harness.services)
      await load(incremental, await prepare(incremental, 'run-1', planned, 0, harness.services), harness.services)

      await assert.rejects(
        commitRun(incremental, 'run-1', planned, harness.services),
        (error: Error) => error instanceof DataQualityError && /11 of 30 rows/.test(error.message),
      )

      assert.equal((await harness.services.state.pipeline('items'))?.lastRun, null)
      assert.equal((await quarantined(harness, 'run-1', 'items')).length, 11)
    })

    test('a partition that has not landed stops the commit', async () => {
      await Item.insertAll(Array.from({ length: 9 }, (_, index) => ({ id: BigInt(index), label: 'x' })))
      const planned = await planRun(full, 'run-1', harness.services)
      assert.equal(planned.partitions.length, 3)
      await load(full, await prepare(full, 'run-1', planned, 1, harness.services), harness.services)

      await assert.rejects(commitRun(full, 'run-1', planned, harness.services), /1 of 3 partitions have landed/)
    })

    test('a staged object that was changed is refused, and no row of it is visible', async () => {
      await Item.insertAll([{ id: 1n, label: 'one' }])
      const planned = await planRun(full, 'run-1', harness.services)
      const input = await prepare(full, 'run-1', planned, 0, harness.services)
      await writeFile(
        join(harness.folder, 'staging', input.transformed.key),
        '{"format":"copy-text","columns":["id","label"]}\n1\tONE\n',
      )

      await assert.rejects(load(full, input, harness.services), { name: 'StagedObjectDamaged' })

      assert.equal(await Product.count(), 0)
    })

    test('a model that does not fit its live table stops before anything is read', async () => {
      await target.query('alter table product rename to products')

      await assert.rejects(runPipeline(full, 'run-1', harness.services), /there is no table pipeline-target.product/)
    })
  })
}

pipelineSuite('sqlite', async () => null, othersSkipped)
pipelineSuite('postgres', startPostgres, othersSkipped)
pipelineSuite('mysql', startMysql, mysqlUnavailable)
