import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bigint, database, fullLoad, pipeline, sql, task, upsert } from 'dray'
import { reconcile, run, workflow } from 'dray/workflow'
import { accessOf, roleOf } from 'dray-infra/internal/aws/handler-access.ts'
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

test('a task that is SQL reaches its database alone, and keeps a last_run there', async () => {
  class Total extends database('access_lake').table('totals', { id: bigint().primaryKey() }) {}
  const totals = task('totals', sql`select id from ${ItemDim}`, { into: Total, by: 'id' })
  const daily = workflow('daily', { steps: [run(items), run(mart), run(totals)] })

  const access = accessOf(
    'functions/totals/run.ts',
    await databasesOfSteps(daily, { findUnit: async () => items as never }),
  )

  assert.deepEqual([access.databases, access.state], [['access_lake'], 'all'])
  assert.equal(roleOf('functions/totals/run.ts', access), 'sql-access_lake')
})
