import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import { testRun } from 'dray-infra/testing'
import { orders } from '#test/fixture/functions/orders/pipeline.ts'

const order = {
  id: 1n,
  customerId: 7n,
  orderDate: '2026-01-31 23:30:00.000001',
  totalAmount: '9999999999.90',
  status: 'paid',
  lastUpdated: '2026-02-01 00:00:00',
}

const source = database('testing-run-source')
const target = database('testing-run-target')
class Item extends source.source('item', {
  id: bigint().primaryKey(),
  label: text(),
  weight: bigint(),
  isGone: boolean().nullable(),
}) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: varchar(10) }) {}
const transform = ({ id, label }: { id: bigint; label: string }) => (label === 'skip' ? null : { id, label })

test('a run has its rows in the target, and what could not be loaded in the quarantine', async () => {
  const run = await testRun(orders, {
    source: [order, { ...order, id: 2n ** 62n, customerId: null }],
    now: '2026-02-01 12:00:00',
  })

  assert.deepEqual(run.target, [
    {
      orderId: 1n,
      customerId: 7n,
      orderDate: '2026-01-31',
      orderAmount: '9999999999.90',
      orderStatus: 'paid',
      etlTimestamp: '2026-02-01 12:00:00',
    },
  ])
  assert.deepEqual(run.quarantine, [
    {
      row: { ...order, id: 2n ** 62n, customerId: null },
      errors: [{ field: 'customerId', code: 'missing', message: 'an order needs a customer' }],
    },
  ])
  const { read, inserted, quarantined, updated } = run.counts
  assert.deepEqual({ read, inserted, quarantined, updated }, { read: 2, inserted: 1, quarantined: 1, updated: 0 })
  assert.equal(run.lastRun, '2026-02-01 11:55:00', 'the lag of the pipeline before the clock')
})

test('a later run reads what has changed since, by the clock of the test', async () => {
  const first = await testRun(orders, { source: [order, { ...order, id: 2n }], now: '2026-02-01 12:00:00' })

  const none = await first.again({ now: '2026-02-01 13:00:00' })
  const changed = { ...order, status: 'sent', lastUpdated: '2026-02-01 13:30:00' }
  const later = { ...order, id: 2n, status: 'sent', lastUpdated: '2026-02-01 23:00:00' }
  const next = await none.again({ source: [changed, later], now: '2026-02-01 14:00:00' })

  assert.deepEqual([none.counts.read, none.lastRun], [0, '2026-02-01 12:55:00'])
  assert.deepEqual([next.counts.read, next.counts.updated, next.lastRun], [1, 1, '2026-02-01 13:55:00'])
  assert.deepEqual(
    next.target.map(({ orderStatus, etlTimestamp }) => [orderStatus, etlTimestamp]),
    [
      ['sent', '2026-02-01 14:00:00'],
      ['paid', '2026-02-01 12:00:00'],
    ],
  )
})

test('a run follows on an earlier one, and on rows that the target has', async () => {
  const loaded = { orderId: 1n, customerId: 7n, orderDate: '2026-01-31', orderAmount: '1.00', orderStatus: 'new' }

  const run = await testRun(orders, {
    source: [order, { ...order, id: 2n, lastUpdated: '2026-01-01 00:00:00' }],
    target: [loaded],
    lastRun: '2026-01-31 12:00:00',
    now: '2026-02-01 12:00:00',
  })

  assert.deepEqual(
    run.target.map(({ orderId, orderAmount }) => [orderId, orderAmount]),
    [[1n, '9999999999.90']],
  )
  assert.deepEqual([run.counts.read, run.counts.updated], [1, 1])
})

test('rows that are gone are deleted', async () => {
  const whole = pipeline('whole', {
    extract: fullLoad(Item),
    transform,
    load: upsert(Product, { by: 'id' }),
    deletes: 'hard',
  })
  const items = [1n, 2n, 3n].map((id) => ({ id, label: `${id}`, weight: 1n }))

  const first = await testRun(whole, { source: items, now: '2026-02-01 12:00:00' })
  const next = await first.again({ source: items.slice(1), now: '2026-02-02 12:00:00' })

  assert.deepEqual([first.deleted, next.deleted, next.counts.unchanged], [0, 1, 2])
  assert.deepEqual(
    next.target.map(({ id }) => id),
    [2n, 3n],
  )
})

test('versions begin when the clock of the test says', async () => {
  class Version extends target.table('version', {
    id: bigint().primaryKey(),
    label: varchar(10),
    validFrom: timestamp().primaryKey(),
    validTo: timestamp().nullable(),
  }) {}
  const versions = pipeline('versions', {
    extract: fullLoad(Item),
    transform,
    load: history(Version, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
  })
  const item = { id: 1n, label: 'one', weight: 1n }

  const first = await testRun(versions, { source: [item], now: '2026-02-01 12:00:00' })
  const next = await first.again({ source: [{ ...item, label: 'uno' }], now: '2026-02-02 12:00:00' })

  assert.deepEqual(
    next.target.map(({ label, validFrom, validTo }) => [label, validFrom, validTo]),
    [
      ['one', '2026-02-01 12:00:00', '2026-02-02 12:00:00'],
      ['uno', '2026-02-02 12:00:00', null],
    ],
  )
})

test('what the pipeline does not read may be left out, and is there for its filter', async () => {
  const some = pipeline('some', {
    extract: fullLoad(Item, { columns: ['label'], where: { isGone: null } }),
    transform,
    load: upsert(Product, { by: 'id' }),
  })

  const run = await testRun(some, {
    source: [{ id: 1n, label: 'one' }, { id: 2n, label: 'two', isGone: true } as never],
    now: '2026-02-01 12:00:00',
  })

  assert.deepEqual(run.target, [{ id: 1n, label: 'one' }])
})

test('the rows of a query are given as it would give them', async () => {
  const query = sql`select no_such_column from ${Item}`
  class Counted extends source.sourceQuery('counted', query, { id: bigint().primaryKey(), label: text() }) {
    get shouted(): string {
      return this.label.toUpperCase()
    }
  }
  const counted = pipeline('counted', {
    extract: fullLoad(Counted),
    transform: (row) => ({ id: row.id, label: row.shouted }),
    load: upsert(Product, { by: 'id' }),
  })

  const run = await testRun(counted, { source: [{ id: 1n, label: 'one' }], now: '2026-02-01 12:00:00' })
  const next = await run.again({ source: [{ id: 2n, label: 'two' }], now: '2026-02-02 12:00:00' })

  assert.deepEqual(next.target, [
    { id: 1n, label: 'ONE' },
    { id: 2n, label: 'TWO' },
  ])
})

test('several runs at once keep apart, and other work keeps the databases of the environment', async () => {
  const variable = urlVariable(target.name)
  process.env[variable] = 'sqlite::memory:'
  await Product.createTable()
  await Product.create({ id: 99n, label: 'outside' })
  const copied = pipeline('copied', { extract: fullLoad(Item), transform, load: upsert(Product, { by: 'id' }) })
  const runs = [1n, 2n, 3n].map((id) =>
    testRun(copied, { source: [{ id, label: `${id}`, weight: 1n }], now: '2026-02-01 12:00:00' }),
  )

  const outside = await Product.all().toArray()
  const targets = (await Promise.all(runs)).map((run) => run.target)

  assert.deepEqual(targets, [[{ id: 1n, label: '1' }], [{ id: 2n, label: '2' }], [{ id: 3n, label: '3' }]])
  assert.deepEqual(
    outside.map(({ label }) => label),
    ['outside'],
  )
  assert.equal(await Product.count(), 1)
  assert.equal(process.env[variable], 'sqlite::memory:')
  assert.equal(process.env[urlVariable(source.name)], undefined)
  delete process.env[variable]
  await target.close()
})

test('a run that fails throws what it failed of, and the next one finds no lease of it', async () => {
  const strict = pipeline('strict', {
    extract: fullLoad(Item),
    transform: (item, row) => (item.label === 'bad' ? row.reject('label', 'bad') : transform(item)),
    load: upsert(Product, { by: 'id' }),
    quarantine: { rows: 0 },
  })
  const item = { id: 1n, label: 'one', weight: 1n }
  const first = await testRun(strict, { source: [item], now: '2026-02-01 12:00:00' })

  await assert.rejects(first.again({ source: [{ ...item, label: 'bad' }], now: '2026-02-02 12:00:00' }), {
    name: 'DataQuality',
    message: /1 of 1 rows were quarantined and at most 0 may be/,
  })
  const next = await first.again({ source: [{ ...item, label: 'uno' }], now: '2026-02-02 13:00:00' })

  assert.deepEqual(next.target, [{ id: 1n, label: 'uno' }])
})

test('rows that a table could not hold are refused before anything is run', async () => {
  const added = pipeline('added', { extract: fullLoad(Item), transform, load: append(Product) })
  const item = { id: 1n, label: 'one', weight: 1n }
  const refused = (options: object, message: RegExp) =>
    assert.rejects(testRun(added, { source: [item], now: '2026-02-01 12:00:00', ...options } as never), {
      name: 'Configuration',
      message,
    })

  await refused({ source: [item, { ...item, name: 'x' }] }, /no field "name"; its fields are id, label/)
  await refused({ source: [{ ...item, id: 1 }] }, /^added: source row 0: id: "1" is not a bigint; .* 7n$/)
  await refused(
    { source: [{ id: 1n, label: 'one' }] },
    /^added: of the source, testing-run-source\.item, row 0 cannot be held: weight .*; nothing was run$/,
  )
  await refused(
    { source: [item, item] },
    /^added: of the source, testing-run-source\.item, one row has the key of another; nothing was run$/,
  )
  await refused(
    { target: [{ id: 1n, label: 'eleven long' }] },
    /^added: of the target, .* row 0 cannot be held: label must have at most 10/,
  )
  await refused({ now: 'noon' }, /^added: now "noon" is not a point in time/)
  await refused({ lastRun: '2026-01-01' }, /^added reads its source whole in each run, so it has no lastRun/)
})

test('tables in schemas are there, and a process of tests ends by itself and leaves nothing', async () => {
  const folder = await mkdtemp(fileURLToPath(new URL('./left-', import.meta.url)))
  try {
    const [file, temporary] = [join(folder, 'left.ts'), await mkdtemp(join(folder, 'tmp-'))]
    await writeFile(
      file,
      `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bigint, changedSince, database, pipeline, timestamp, upsert } from 'dray'
import { testRun } from 'dray-infra/testing'

const shop = database('shop')
class Source extends shop.source('public.item', { id: bigint().primaryKey(), at: timestamp() }) {}
class Target extends shop.table('mart.item', { id: bigint().primaryKey() }) {}
const items = pipeline('items', {
  extract: changedSince(Source, { cursor: 'at' }),
  transform: ({ id }) => ({ id }),
  load: upsert(Target, { by: 'id' }),
})
for (const engine of ['sqlite', 'postgres'] as const) {
  test(engine, async () => {
    const run = await testRun(items, { engine, source: [{ id: 1n, at: '1999-01-01' }], now: '1999-02-01 12:00:00' })
    const next = await run.again({ source: [{ id: 2n, at: '1999-02-02' }], now: '1999-02-03 12:00:00' })
    assert.deepEqual([next.target, next.lastRun], [[{ id: 1n }, { id: 2n }], '1999-02-03 11:59:58'])
  })
}
`,
    )
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const { stdout } = await promisify(execFile)(process.execPath, ['--test-reporter=spec', file], {
      env: { ...env, TMPDIR: temporary },
    })

    assert.match(stdout, /✔ sqlite[\s\S]*✔ postgres/)
    assert.deepEqual(await readdir(temporary), [])
  } finally {
    await rm(folder, { recursive: true })
  }
})
