import assert from 'node:assert/strict'
import { test } from 'node:test'
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
  assert.equal(under(planPrefix('*', 'orders')), 'runs/*/orders/_plan/*')
  assert.equal(under(quarantinePrefix(null, 'orders')), 'quarantine/orders/*')
})

test('a grant for a pipeline of whatever name holds no part of another', () => {
  // As IAM reads it: a `*` goes across slashes.
  const allows = (pattern: string, key: string) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(key)
  const keys = ofRun.map(([prefix]) => `${prefix}/1234`)
  const parts = keys.flatMap((key) => key.split('/').slice(3)).map((part) => part.replace('_', ''))
  const names = parts.filter((part) => /^[a-z]/.test(part))

  for (const name of ['customers', ...names]) {
    assert.deepEqual(
      keys.filter((key) => allows(under(stagingPrefix('*', name)), key)),
      [],
      name,
    )
  }
})
