import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, decimal, text, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { decimalOf } from 'dray/internal/active-record/values.ts'
import { TerminalError } from 'dray/internal/errors.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, planRun, prepare, runPipeline, runReference } from './harness.ts'

const source = database('contract-source')
const target = database('contract-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  price: decimal(12, 2),
}) {}
class Product extends target.table('product', {
  id: bigint().primaryKey(),
  label: varchar(10).nullable(),
  price: decimal(12, 2),
}) {}

const options = {
  extract: fullLoad(Item, { partitionRows: 2 }),
  transform: ({ id, label, price }: Item) => ({ id, label, price }),
  load: upsert(Product, { by: 'id' }),
}
const evolving = pipeline('items', options)
const frozen = pipeline('items', { ...options, contract: 'freeze' })

onEachEngine('a contract', [source, target], (engine) => {
  beforeEach(async () => {
    for (const model of [Item, Product] as unknown as ModelClass[]) await model.createTable()
    await Item.insertAll([1n, 2n, 3n, 4n].map((id) => ({ id, label: `${id}`, price: decimalOf('1.25') })))
  })

  /** Loads the first partition, has the table changed, and gives what the second one came to. */
  async function changedMeanwhile(of: typeof evolving, change: () => Promise<unknown>): Promise<unknown> {
    const { services } = engine.harness
    const planned = await planRun(of, 'run-1', services)
    await load(of, await prepare(of, 'run-1', planned, 0, services), services)
    await change()
    const second = async () => load(of, await prepare(of, 'run-1', planned, 1, services), services)
    return second().then(
      () => null,
      (error: unknown) => error,
    )
  }

  const retype = (table: string, column: string) =>
    ({
      postgres: `alter table ${table} alter column ${column} type integer`,
      mysql: `alter table ${table} modify ${column} int not null`,
      sqlite: null,
    })[engine.dialect]

  test('evolve: new columns are left alone and told of in the run', async () => {
    await source.query('alter table item add column colour text')

    const output = await runPipeline(evolving, 'run-1', engine.harness.services)

    assert.equal(output.inserted, 4)
    const step = (await engine.harness.services.state.run('run-1'))?.steps[0]
    assert.ok(
      step?.notes?.includes(
        "contract-source.item has a column that the model does not know, left alone: colour; to load them: npx dray schema pull contract-source.item shows their fields, add them to both models, then npx dray schema plan; or say columns: 'follow', which takes over each new column",
      ),
    )
  })

  test('freeze: a new column stops the run before anything is read', async () => {
    await source.query('alter table item add column colour text')

    await assert.rejects(
      planRun(frozen, 'run-1', engine.harness.services),
      (error: Error) => error instanceof TerminalError && /left alone: colour|colour/.test(error.message),
    )
  })

  test('freeze: a column of the target that is shorter than the model says stops the run', async (context) => {
    if (engine.dialect === 'sqlite') return context.skip('SQLite has no lengths')
    await target.query(
      engine.dialect === 'mysql'
        ? 'alter table product modify label varchar(5)'
        : 'alter table product alter column label type varchar(5)',
    )

    await assert.rejects(planRun(frozen, 'run-1', engine.harness.services), /the model says varchar\(10\)/)
    await engine.harness.services.state.releaseLease('items', 'run-1')
    assert.equal((await runPipeline(evolving, 'run-2', engine.harness.services)).inserted, 4)
  })

  test('a column that the target computes itself stops the run before anything is read', async () => {
    const kind = engine.dialect === 'postgres' ? 'stored' : 'virtual'
    await target.query('alter table product drop column label')
    await target.query(`alter table product add column label varchar(10) generated always as ('x') ${kind}`)

    await assert.rejects(planRun(evolving, 'run-1', engine.harness.services), {
      name: 'Terminal',
      message:
        'items: the database computes label of contract-target.product itself, so nothing can be written there, and nothing was read; leave label out of the model',
    })
  })

  test('column dropped mid-run, at the source: a clear stop, nothing of the partition is loaded', async () => {
    const error = await changedMeanwhile(evolving, () => source.query('alter table item drop column label'))

    assert.ok(error instanceof TerminalError, String(error))
    assert.match(error.message, /label/)
    assert.equal(await Product.count(), 2)
    assert.equal((await engine.harness.services.state.pipeline('items'))?.version, 0)
  })

  test('column dropped mid-run, at the target: a clear stop, nothing of the partition is loaded', async () => {
    const error = await changedMeanwhile(evolving, () => target.query('alter table product drop column label'))

    assert.ok(error instanceof TerminalError, String(error))
    assert.match(error.message, /label/)
    assert.equal(await Product.count(), 2)
  })

  test('column retyped mid-run, at the source, so that values are cut: a clear stop, no cut value is loaded', async (context) => {
    const sql = retype('item', 'price')
    if (sql === null) return context.skip('SQLite columns have no types to change')

    const error = await changedMeanwhile(evolving, () => source.query(sql))

    assert.ok(error instanceof TerminalError, String(error))
    assert.match(
      error.message,
      /contract-source\.item has changed since this run was planned: the column price was .* and is int/,
    )
    assert.equal(await Product.count(), 2)
  })

  test('column retyped mid-run, at the target: a clear stop, no cut value is loaded', async (context) => {
    const sql = retype('product', 'price')
    if (sql === null) return context.skip('SQLite columns have no types to change')

    const error = await changedMeanwhile(evolving, () => target.query(sql))

    assert.ok(error instanceof TerminalError, String(error))
    assert.match(error.message, /price/)
    assert.equal(await Product.count(), 2)
  })

  test('column added mid-run: loaded all the same, or stopped when frozen', async () => {
    const { services } = engine.harness
    const added = await changedMeanwhile(evolving, () => source.query('alter table item add column colour text'))
    await services.state.releaseLease('items', 'run-1')
    const planned = await planRun(evolving, 'run-2', services)
    const input = {
      run: runReference('run-2'),
      pipeline: 'items',
      plan: planned.plan,
      epoch: planned.epoch,
      partition: 0,
    }
    await source.query('alter table item add column size text')
    const stopped = await extract(frozen, input, services).catch((error: Error) => error)

    assert.equal(added, null)
    assert.ok(stopped instanceof TerminalError && /the column size is new/.test(stopped.message))
    assert.ok((await transform(evolving, await extract(evolving, input, services), services)).transformed.rows > 0)
    await assert.rejects(commitRun(evolving, 'run-2', planned, services), /0 of 2 partitions/)
  })
})
