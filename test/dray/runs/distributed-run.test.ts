import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { closeDatabases, database } from 'dray/internal/active-record/database.ts'
import { bigint, text, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import type { PlanOutput } from 'dray/internal/messages/stages.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { outcome } from 'dray/internal/pipeline/stages/outcome.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { readJsonArray } from 'dray/internal/staging/documents.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { execute, realClock } from 'dray-infra/internal/states-language/index.ts'
import { type Harness, openHarness } from '#test/pipeline/harness.ts'

const source = database('distributed-source')
const target = database('distributed-target')
class Item extends source.table('item', { id: bigint().primaryKey(), label: text() }) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: varchar(20) }) {}

const ROWS = 1203
const items = pipeline('items', {
  extract: fullLoad(Item, { partitionRows: 2 }),
  transform: ({ id, label }) => ({ id, label: label.toUpperCase() }),
  load: upsert(Product, { by: 'id' }),
  concurrency: 8,
})
const { definition, machines } = toStatesLanguage(workflow('large', { steps: [run(items)] }))

let harness: Harness
before(async () => {
  harness = await openHarness()
  for (const { name } of [source, target])
    process.env[urlVariable(name)] = `sqlite:${join(harness.folder, `${name}.db`)}`
  await Item.createTable()
  await Product.createTable()
  await Item.insertAll(Array.from({ length: ROWS }, (_, index) => ({ id: BigInt(index), label: `item ${index}` })))
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
    DrayPlan: async (payload) => {
      planned.push(await plan(items, payload, services))
      return planned[0]
    },
    ItemsExtract: (payload) => extract(items, payload, services),
    ItemsTransform: (payload) => transform(items, payload, services),
    ItemsLoad: (payload) => load(items, payload, services),
    DrayCommit: (payload) => commit(items, payload, services),
    DrayOutcome: (payload) => outcome(payload, services),
    DrayFinish: (payload) => finish(payload, services),
  }

  const { status, cause } = await execute(
    definition,
    {},
    {
      clock: realClock,
      machines,
      executionName: 'run-1',
      executor: { invoke: async (name, payload) => steps[name]?.(payload as never) },
      async readItems({ bucket, key }) {
        assert.match(`${bucket} ${key}`, /^bucket some\/root\/runs\/run-1\/items\/_items\/[0-9a-f-]{36}$/)
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
  assert.equal(await Product.count(), ROWS)
  assert.equal((await Product.find(1202n)).label, 'ITEM 1202')
  const detail = await services.state.run('run-1')
  assert.deepEqual(
    detail?.steps.map(({ status, read, inserted }) => [status, read, inserted]),
    [['success', ROWS, ROWS]],
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
