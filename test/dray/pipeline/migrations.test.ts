import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import type { Adapter, Connection } from 'dray/internal/database/adapter.ts'
import { TransientError } from 'dray/internal/errors.ts'
import type { PlanOutput } from 'dray/internal/messages/stages.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { ledgerOf } from 'dray/internal/pipeline/landing/ledger.ts'
import { migrateTarget } from 'dray/internal/pipeline/landing/migrate.ts'
import { makeTables } from 'dray/internal/pipeline/landing/migrations/0001-tables.ts'
import { OwnTables } from 'dray/internal/pipeline/landing/migrations/own-tables.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, planRun, prepare, runPipeline, runReference } from './harness.ts'

const source = database('migrated-source')
const target = database('migrated-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  changedAt: timestamp(),
}) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: text().nullable() }) {}
/** Nothing keeps a row from being there twice but Dray. */
class Happening extends target.table('happening', { id: bigint(), label: text().nullable() }) {}
const models = [Item, Product, Happening] as unknown as ModelClass[]

const extract = changedSince(Item, { cursor: 'changedAt', lag: '0s', partitionRows: 2 })
const items = pipeline('items', {
  extract,
  transform: ({ id, label }) => ({ id, label }),
  load: upsert(Product, { by: 'id' }),
}) as unknown as Pipeline

/** Rows whose label is `refused` are rejected. */
function happenings(refused: string): Pipeline {
  return pipeline('happenings', {
    extract,
    transform: ({ id, label }, row) => (label === refused ? row.reject('label', 'bad') : { id, label }),
    load: append(Happening),
  }) as unknown as Pipeline
}

/** The numbers of the migrations, from 1. */
const all = globSync('[0-9]*.ts', {
  cwd: join(import.meta.dirname, '../../../shared/dray/pipeline/landing/migrations'),
}).map((_, index) => String(index + 1))
const newer = all.length + 1

const OWN = ['dray_migration', 'dray_fence', 'dray_ledger', 'dray_closing', 'dray_spelling']

onEachEngine(
  "Dray's own tables",
  [source, target],
  (engine) => {
    beforeEach(async () => {
      for (const model of models) await model.createTable()
    })

    const run = (sql: string) =>
      target.withConnection(async (connection, { quote }) => {
        return (await connection.query(sql.replaceAll(/\[(\w+)\]/g, (_, name) => quote(name)))).rows
      })
    const versions = async () => (await run('select version from dray_migration order by version')).map(([one]) => one)
    const columnsOf = (table: string) =>
      target.withConnection(async (connection) =>
        (await connection.describe(table))?.columns.map(({ name, type, nullable }) => `${name} ${type} ${nullable}`),
      )
    /** As the target is where Dray was before its tables had a version. */
    const makeVersion1 = () =>
      target.withConnection((connection, adapter) => makeTables(new OwnTables(connection, adapter)))
    const insertItems = (ids: readonly number[], label = 'a') =>
      Item.insertAll(ids.map((id) => ({ id: BigInt(id), label, changedAt: '2024-01-01 12:00:00' as never })))

    /** Takes all versions but the first back, with what version 2 holds. */
    async function backToVersion1(): Promise<void> {
      const replays = await run('select partition_number, [plan], replayed from dray_ledger where replayed is not null')
      await run('alter table dray_ledger rename column [plan] to note')
      for (const column of ['replayed', 'refused', 'loaded_keys'])
        await run(`alter table dray_ledger drop column ${column}`)
      for (const added of ['mark', 'written_table', 'alone']) await run(`alter table dray_fence drop column ${added}`)
      await run('drop table dray_spelling')
      await run('drop table dray_migration')
      for (const [partition, plan, replayed] of replays) {
        const note = JSON.stringify({ ...JSON.parse(plan ?? ''), replayed: JSON.parse(replayed ?? '') })
        await run(
          `update dray_ledger set note = '${note}' where partition_number = ${partition} and run_id = 'replay-1'`,
        )
      }
    }

    async function loadPartitions(of: Pipeline, id: string, planned: PlanOutput, numbers: readonly number[]) {
      const { services } = engine.harness
      for (const partition of numbers) {
        await load(of, await prepare(of, id, planned, partition, services), services)
      }
    }

    /** What Finish does with a run that has failed. */
    const fail = (id: string, step: string) =>
      finish(
        { run: runReference(id), steps: { [step]: { status: 'failed', reason: 'Terminal: killed' } } },
        engine.harness.services,
      )

    test('are made in a new target, as the code of now uses them', async () => {
      await migrateTarget(target)
      await migrateTarget(target)

      const { Fence, Entry } = ledgerOf(target)
      assert.deepEqual(await versions(), all)
      assert.deepEqual([await Fence.checkSchema(), await Entry.checkSchema()], [[], []])
      assert.ok(await columnsOf('dray_closing'))
    })

    test('from before they had a version are migrated, and a run that old code began is resumed', async () => {
      const { services } = engine.harness
      await insertItems([1, 2, 3, 4, 5])
      const planned = await planRun(items, 'run-1', services)
      await loadPartitions(items, 'run-1', planned, [0, 1])
      await fail('run-1', 'items')
      await backToVersion1()

      const resumed = await planRun(items, 'run-2', services, { resume: 'run-1' })
      await loadPartitions(items, 'run-2', resumed, [2])
      const output = await commitRun(items, 'run-2', resumed, services)

      assert.deepEqual(resumed.partitions, [{ partition: 2 }])
      assert.equal(output.inserted, 5)
      assert.equal(await Product.count(), 5)
      assert.deepEqual(await versions(), all)
    })

    test('know after the migration what a replay of before has sent, so that an append doubles nothing', async () => {
      const { services } = engine.harness
      await insertItems([1, 2, 3])
      await insertItems([4], 'refused')
      await runPipeline(happenings('refused'), 'run-1', services)
      const planned = await planRun(happenings(''), 'replay-1', services, { replay: {} })
      await loadPartitions(happenings(''), 'replay-1', planned, [0])
      await fail('replay-1', 'happenings')
      await backToVersion1()

      const again = await planRun(happenings(''), 'replay-2', services, { replay: {} })
      await loadPartitions(
        happenings(''),
        'replay-2',
        again,
        again.partitions.map(({ partition }) => partition),
      )
      await commitRun(happenings(''), 'replay-2', again, services)

      assert.deepEqual(again.partitions, [])
      assert.equal(await Happening.count(), 4)
      const entries = await run('select [plan], replayed from dray_ledger order by run_id')
      assert.ok(entries.every(([plan]) => !plan?.includes('replayed')))
      assert.deepEqual(
        entries.map(([, replayed]) => JSON.parse(replayed ?? '{}').key?.split('/')[3] ?? null),
        ['_replayed', null, null],
      )
    })

    test('from before fences had a mark take it from last_run, once', async () => {
      const { services } = engine.harness
      await insertItems([1, 2])
      await runPipeline(items, 'run-1', services)
      await backToVersion1()

      const second = await runPipeline(items, 'run-2', services)
      await run('update dray_fence set mark = null')
      const third = await runPipeline(items, 'run-3', services)

      assert.deepEqual([second.read, third.read], [0, 2])
    })

    test('from before fences had a mark, in a target that is older than the last Commit, have nothing landed', async () => {
      const { services } = engine.harness
      await insertItems([1, 2])
      await runPipeline(items, 'run-1', services)
      await runPipeline(items, 'run-2', services)
      await backToVersion1()
      await run('update dray_fence set epoch = 1')

      assert.equal((await runPipeline(items, 'run-3', services)).read, 2)
    })

    test('are migrated once by Plans at once', async () => {
      await makeVersion1()
      const others = Array.from({ length: 6 }, () => new Database(target.name))

      await Promise.all(others.map((other) => migrateTarget(other)))

      await Promise.all(others.map((other) => other.close()))
      assert.deepEqual(await versions(), all)
      assert.deepEqual(await ledgerOf(target).Entry.checkSchema(), [])
    })

    test('are as they should be after a crash before any statement of a migration, and another Plan', async () => {
      await migrateTarget(target)
      const whole = await Promise.all(OWN.map(columnsOf))
      const row = `insert into dray_ledger (pipeline, run_id, partition_number, epoch, rows_read, inserted, updated, unchanged, filtered, duplicate, quarantined, findings, bytes, loaded_at, note)
      values ('p', 'r', 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '2024-01-01 00:00:00', '{"key":"k","replayed":{"key":"s"}}')`
      let crashes = 0
      for (let statements = 0; ; statements++) {
        for (const table of OWN) await run(`drop table ${table}`)
        await makeVersion1()
        await run(row)

        const crashed = await migrateTarget(dyingAfter(target, statements)).then(
          () => false,
          (error: Error) => error.name === 'Transient',
        )
        await migrateTarget(target)

        assert.deepEqual(await Promise.all(OWN.map(columnsOf)), whole, `crashed before statement ${statements + 1}`)
        assert.deepEqual(await versions(), all)
        assert.deepEqual(await run('select [plan], replayed from dray_ledger'), [['{"key":"k"}', '{"key":"s"}']])
        if (!crashed) break
        crashes += 1
      }
      assert.ok(crashes >= 8, `only ${crashes} statements`)
    })

    test('shut out code of before: it can neither enter a partition nor read one', async () => {
      await makeVersion1()
      await migrateTarget(target)

      await assert.rejects(run('select pipeline, note from dray_ledger'), { name: 'Terminal' })
      await assert.rejects(
        run(`insert into dray_ledger (pipeline, run_id, partition_number, note) values ('p', 'r', 0, '{}')`),
        { name: 'Terminal' },
      )
    })

    test('of a newer version are refused before anything is written', async () => {
      const { services } = engine.harness
      await insertItems([1])
      await migrateTarget(target)
      await run(`insert into dray_migration (version, applied_at) values (${newer}, '2030-01-01 00:00:00')`)

      const refused = planRun(items, 'run-1', services)

      await assert.rejects(refused, {
        name: 'Terminal',
        message: new RegExp(
          `migrated-target has Dray's own tables in version ${newer}, .* up to ${all.length}: .* nothing was read or written\\. Deploy`,
        ),
      })
      assert.deepEqual(await run('select count(*) from dray_fence'), [['0']])
    })
  },
  { keepsOwn: false },
)

/** The database, on whose line no statement gets through after so many. */
function dyingAfter(database: Database, statements: number): Database {
  let sent = 0
  const dying = (connection: Connection): Partial<Connection> => ({
    query: (...given) => {
      if (sent >= statements) return Promise.reject(new TransientError('the line is dead'))
      sent += 1
      return connection.query(...given)
    },
    describe: (table) => connection.describe(table),
    begin: (mode) => connection.begin(mode),
    commit: () => connection.commit(),
    rollback: () => connection.rollback(),
  })
  const withConnection = <T>(work: (connection: Connection, adapter: Adapter) => Promise<T>): Promise<T> =>
    database.withConnection((connection, adapter) => work(dying(connection) as Connection, adapter))
  return { name: database.name, withConnection } as unknown as Database
}
