import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint } from 'dray/internal/active-record/field-kinds.ts'
import { stagedParts } from 'dray/internal/messages/staged-parts.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import {
  batchPrefix,
  findingsPrefix,
  gonePrefix,
  itemsPrefix,
  keptPrefix,
  placeOf,
  planPrefix,
  quarantineLogPrefix,
  quarantinePrefix,
  replayedPrefix,
  stagingPrefix,
  under,
} from 'dray/internal/staging/keys.ts'

const place = { run: 'run-1', pipeline: 'orders', partition: 3 }
const ofRun: readonly [prefix: string, part: string][] = [
  [planPrefix('run-1', 'orders'), 'plan'],
  [itemsPrefix('run-1', 'orders'), 'items'],
  [batchPrefix('extracted', place), '3'],
  [batchPrefix('transformed', place), '3'],
  [gonePrefix('run-1', 'orders'), 'gone'],
  [keptPrefix('run-1', 'orders'), 'kept'],
  [replayedPrefix('run-1', 'orders'), 'replayed'],
]

test('a key tells the run, the pipeline and the part that it was made of', () => {
  for (const [prefix, part] of ofRun) {
    assert.deepEqual(placeOf(`${prefix}/1234`), { root: 'runs', run: 'run-1', pipeline: 'orders', part })
  }
  for (const prefix of [quarantinePrefix('run-1', 'orders'), findingsPrefix('run-1', 'orders')]) {
    const { run, pipeline } = placeOf(`${prefix}/1234`)
    assert.deepEqual([run, pipeline], ['run-1', 'orders'])
  }
  assert.equal(placeOf(`${quarantineLogPrefix('orders')}/1234`).pipeline, 'orders')
  assert.equal(placeOf('elsewhere/orders/1234').root, null)
})

test('no two kinds of objects share a prefix', () => {
  const prefixes = [
    ...ofRun.map(([prefix]) => prefix),
    quarantinePrefix('run-1', 'orders'),
    findingsPrefix('run-1', 'orders'),
    quarantineLogPrefix('orders'),
  ]
  for (const prefix of prefixes) {
    assert.deepEqual(
      prefixes.filter((other) => other.startsWith(`${prefix}/`) || other === prefix),
      [prefix],
    )
  }
})

test('a grant for all runs of a pipeline is made by the same functions', () => {
  assert.equal(under(planPrefix('*', 'orders')), 'runs/*/orders/plan/*')
  assert.equal(under(quarantinePrefix(null, 'orders')), 'quarantine/orders/*')
})

test('no pipeline is called as a part of a run, since a grant for it would hold that part of all others', () => {
  class Item extends database('named').table('item', { id: bigint().primaryKey() }) {}
  const declare = (name: string) =>
    pipeline(name, { extract: fullLoad(Item), transform: ({ id }) => ({ id }), load: upsert(Item, { by: 'id' }) })
  // As IAM reads it: a `*` goes across slashes.
  const allows = (pattern: string, key: string) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(key)
  const keys = ofRun.map(([prefix]) => `${prefix}/1234`)

  for (const name of Object.values(stagedParts)) {
    assert.throws(() => declare(name), { name: 'Configuration', message: /give the pipeline another name/ })
  }
  const parts = keys.flatMap((key) => key.split('/').slice(3)).filter((part) => /^[a-z]/.test(part))
  for (const part of parts) assert.throws(() => declare(part), { name: 'Configuration' }, part)
  const other = declare('customers')
  assert.deepEqual(
    keys.filter((key) => allows(under(stagingPrefix('*', other.name)), key)),
    [],
  )
})
