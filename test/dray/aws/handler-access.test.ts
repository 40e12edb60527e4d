import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bigint, database, fullLoad, pipeline, task, upsert } from 'dray'
import { reconcile, run, workflow } from 'dray/workflow'
import { accessOf } from 'dray-infra/internal/aws/handler-access.ts'
import { databasesOfSteps } from 'dray-infra/internal/aws/step-databases.ts'

class Item extends database('access_shop').source('items', { id: bigint().primaryKey() }) {}
class Rate extends database('access_rates').source('rates', { id: bigint().primaryKey() }) {}
class ItemDim extends database('access_lake').table('items', { id: bigint().primaryKey() }) {}

const items = pipeline('items', {
  extract: fullLoad(Item),
  transform: ({ id }) => ({ id }),
  load: upsert(ItemDim, { by: 'id' }),
})
const mart = task('mart', async () => {}, { reads: [Rate, ItemDim] })
const nightly = workflow('nightly', { steps: [run(items), run(mart, { after: [items] })] })

test('a task reaches what pipelines write and what it says it reads; nobody else reaches that', async () => {
  const databases = await databasesOfSteps(nightly, { findUnit: async () => items as never })
  const reached = (handler: string) => accessOf(`functions/${handler}.ts`, databases).databases

  assert.deepEqual(
    ['mart/run', 'items/extract', 'items/load', 'dray/plan', 'dray/commit', 'dray/schema', 'dray/finish'].map(reached),
    [
      ['access_lake', 'access_rates'],
      ['access_shop'],
      ['access_lake'],
      ['access_lake', 'access_shop'],
      ['access_lake', 'access_shop'],
      ['access_lake'],
      [],
    ],
  )
})

test('a comparison reads source and target, writes how far it has come, and no last_run', async () => {
  const checking = workflow('checking', { steps: [reconcile(items), run(mart)] })

  const databases = await databasesOfSteps(checking, { findUnit: async () => items as never })

  assert.deepEqual(accessOf('functions/dray/reconcile.ts', databases), {
    databases: ['access_lake', 'access_shop'],
    staging: { read: ['runs/*/*/_compared/*', 'quarantine/*', 'quarantine-log/*'], write: ['runs/*/*/_compared/*'] },
    state: 'outcomes',
    announces: false,
    tellsLineage: false,
  })
  assert.deepEqual(accessOf('functions/mart/run.ts', databases).databases, ['access_lake', 'access_rates'])
})
