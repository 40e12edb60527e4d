import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { execute, realClock } from '#infra/local/states-language/index.ts'
import { bigint, closeDatabases, database, text, urlVariable, varchar } from '#shared/active-record/index.ts'
import {
  commit,
  extract,
  finish,
  fullLoad,
  load,
  type PlanOutput,
  pipeline,
  plan,
  transform,
  upsert,
} from '#shared/pipeline/index.ts'
import { readJsonArray } from '#shared/staging/documents.ts'
import type { StagingStore } from '#shared/staging/staging-store.ts'
import { run, toStatesLanguage, workflow } from '#shared/workflow/index.ts'
import { type Harness, openHarness } from '#test/shared/pipeline/harness.ts'

const source = database('distributed-source')
const target = database('distributed-target')
class Item extends source.table('item', { id: bigint().primaryKey(), label: text() }) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: varchar(20) }) {}

const rows = 1203
const items = pipeline('items', {
  extract: fullLoad(Item, { partitionRows: 2 }),
  transform: ({ id, label }) => ({ id, label: label.toUpperCase() }),
  load: upsert(Product, { by: 'id' }),
  concurrency: 8,
})
const { definition } = toStatesLanguage(workflow('large', { steps: [run(items)] }))

let harness: Harness
before(async () => {
  harness = await openHarness()
  for (const { name } of [source, target])
    process.env[urlVariable(name)] = `sqlite:${join(harness.folder, `${name}.db`)}`
  await Item.createTable()
  await Product.createTable()
  await Item.insertAll(Array.from({ length: rows }, (_, index) => ({ id: BigInt(index), label: `item ${index}` })))
})
after(async () => {
  await closeDatabases()
  await harness.close()
})

test('602 partitions are planned without growing, listed in staging and landed one by one', async () => {
  const services = { ...harness.services, staging: inBucket(harness.services.staging) }
  const planned: PlanOutput[] = []
  const listed: unknown[][] = []
  const steps: Record<string, (payload: never) => Promise<unknown>> = {
    ControlPlan: async (payload) => {
      planned.push(await plan(items, payload, services))
      return planned[0]
    },
    ItemsExtract: (payload) => extract(items, payload, services),
    ItemsTransform: (payload) => transform(items, payload, services),
    ItemsLoad: (payload) => load(items, payload, services),
    ControlCommit: (payload) => commit(items, payload, services),
    ControlFinish: (payload) => finish(payload, services),
  }

  const { status, cause } = await execute(
    definition,
    {},
    {
      clock: realClock,
      executionName: 'run-1',
      executor: { invoke: async (name, payload) => steps[name]?.(payload as never) },
      async readItems({ bucket, key }) {
        assert.match(`${bucket} ${key}`, /^bucket some\/root\/runs\/run-1\/items\/items\/[0-9a-f-]{36}$/)
        listed.push(await readJsonArray(services.staging, key.slice('some/root/'.length)))
        return listed[0]
      },
    },
  )

  assert.equal(status, 'SUCCEEDED', cause)
  assert.deepEqual(
    planned.map(({ count, partitions, distributed }) => [count, partitions, distributed]),
    [[602, [], true]],
  )
  assert.deepEqual(listed, [Array.from({ length: 602 }, (_, partition) => ({ partition }))])
  assert.equal(await Product.count(), rows)
  assert.equal((await Product.find(1202n)).label, 'ITEM 1202')
  const detail = await services.state.run('run-1')
  assert.deepEqual(
    detail?.steps.map(({ status, read, inserted }) => [status, read, inserted]),
    [['success', rows, rows]],
  )
})

/** The folder, which says that it is a prefix of a bucket. */
function inBucket(store: StagingStore): StagingStore {
  return new Proxy(store, {
    get(_, name) {
      if (name === 'locate') return (prefix: string) => `s3://bucket/some/root/${prefix}`
      const value = Reflect.get(store, name)
      return typeof value === 'function' ? value.bind(store) : value
    },
  })
}
