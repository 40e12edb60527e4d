import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, decimal, integer, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { testPipeline } from 'dray-infra/testing'
import { customers } from '#test/fixture/functions/customers/pipeline.ts'
import { orders } from '#test/fixture/functions/orders/pipeline.ts'

const order = {
  id: 2n ** 62n,
  customerId: 7n,
  orderDate: '2026-01-31 23:30:00.000001',
  totalAmount: '19.90',
  lastUpdated: '2026-02-01 00:00:00',
}

/** The message of what is expected in vain, and the place that stands first in its stack. */
function failureOf(expectation: () => unknown): { readonly message: string; readonly place: string } {
  try {
    expectation()
  } catch (error) {
    assert.ok(error instanceof assert.AssertionError, String(error))
    const [first = ''] = (error.stack ?? '')
      .slice((error.stack ?? '').indexOf(error.message) + error.message.length)
      .trim()
      .split('\n')
    return { message: error.message, place: first }
  }
  return assert.fail('nothing failed')
}

test('a row becomes the one that is expected, to the last digit of each value', () => {
  testPipeline(orders)
    .row(order)
    .becomes({
      orderId: 2n ** 62n,
      customerId: 7n,
      orderDate: '2026-01-31',
      orderAmount: '19.90',
      orderStatus: 'unknown',
      etlTimestamp: '2026-01-01 00:00:00',
    })
})

test('two rows that differ are shown side by side, with a sign before what differs, at the line of the caller', () => {
  const { message, place } = failureOf(() =>
    testPipeline(orders)
      .row({ ...order, totalAmount: '19.9' })
      .becomes({ orderId: 2n ** 62n + 1n, customerId: 7n, orderDate: '2026-01-31', orderAmount: '19.90' }),
  )

  assert.equal(
    message,
    `orders: the row was loaded with other values than expected.

                 expected              became
≠  orderId       4611686018427387905n  4611686018427387904n
   customerId    7n                    7n
   orderDate     '2026-01-31'          '2026-01-31'
≠  orderAmount   '19.90'               '19.9'
≠  orderStatus   null                  'unknown'
   etlTimestamp                        '2026-01-01 00:00:00'
`,
  )
  assert.match(place, /test-pipeline\.test\.ts:\d+/)
})

test('long values and names are shown whole, within 78 columns', () => {
  const wide = database('testing-wide')
  const fields = { id: bigint().primaryKey(), anUncommonlyLongNameOfAField: text().nullable() }
  class Source extends wide.source('source', fields) {}
  class Target extends wide.table('target', fields) {}
  const copied = pipeline('copied', {
    extract: fullLoad(Source),
    transform: ({ id, anUncommonlyLongNameOfAField }) => ({ id, anUncommonlyLongNameOfAField }),
    load: upsert(Target, { by: 'id' }),
  })
  const long = 'Ünïcode 漢字 \u200b'.repeat(20)

  const { message } = failureOf(() =>
    testPipeline(copied).row({ id: 1n, anUncommonlyLongNameOfAField: long }).becomes({ id: 1n }),
  )

  const lines = message.split('\n')
  assert.ok(lines.every((line) => [...line].length <= 78))
  assert.equal(message.match(/漢/g)?.length, 20)
  assert.ok(lines.join('').includes('\\u200b'), 'what nobody sees is written out')
})

test('a field of the load counts where it is given, by the start of the run', () => {
  const loaded = {
    orderId: 2n ** 62n,
    customerId: 7n,
    orderDate: '2026-01-31',
    orderAmount: '19.90',
    orderStatus: 'unknown',
  }
  const run = testPipeline(orders, { now: '2026-03-01 10:00:00' })

  run
    .row(order)
    .becomes({ ...loaded, etlTimestamp: '2026-03-01 10:00:00' })
    .becomes(loaded)

  failureOf(() => run.row(order).becomes({ ...loaded, etlTimestamp: '2026-01-01 00:00:00' }))
})

test('so do the fields of a history, and the mark of rows that are deleted', () => {
  const kept = database('testing-kept')
  class Thing extends kept.source('thing', { id: bigint().primaryKey(), label: text() }) {}
  class Version extends kept.table('version', {
    id: bigint().primaryKey(),
    label: text(),
    validFrom: timestamp().primaryKey(),
    validTo: timestamp().nullable(),
    isCurrent: boolean(),
  }) {}
  class Marked extends kept.table('marked', { id: bigint().primaryKey(), label: text(), isGone: boolean() }) {}
  const extract = fullLoad(Thing)
  const transform = ({ id, label }: { id: bigint; label: string }) => ({ id, label })
  const dates = { validFrom: 'validFrom', validTo: 'validTo', current: 'isCurrent' } as const
  const versions = pipeline('versions', { extract, transform, load: history(Version, { by: 'id', ...dates }) })
  const marked = pipeline('marked', {
    extract,
    transform: (row) => ({ ...transform(row), isGone: false }),
    load: upsert(Marked, { by: 'id' }),
    deletes: { soft: 'isGone' },
  })
  const row = { id: 1n, label: 'one' }

  testPipeline(versions)
    .row(row)
    .becomes(row)
    .becomes({ ...row, validFrom: '2026-01-01 00:00:00', isCurrent: true })
  testPipeline(marked).row(row).becomes(row)

  failureOf(() =>
    testPipeline(versions)
      .row(row)
      .becomes({ ...row, isCurrent: false }),
  )
})

test('rows are rejected by the transform, and by the rules of the target, each for its reason', () => {
  testPipeline(customers)
    .row({ id: 1n, name: '' })
    .rejects('name', 'missing')
    .row({ id: 1n, name: 'x'.repeat(201) })
    .rejects('fullName', 'too_long')

  const other = failureOf(() => testPipeline(customers).row({ id: 1n, name: '' }).rejects('name', 'blank'))
  const loaded = failureOf(() => testPipeline(customers).row({ id: 1n, name: 'Ann' }).rejects('name', 'missing'))
  const refused = failureOf(() => testPipeline(customers).row({ id: 1n }).becomes({ id: 1n }))

  assert.equal(
    other.message,
    `customers: the row was to be quarantined for 'name', 'blank', but it was quarantined:
  'name', 'missing': a customer needs a name`,
  )
  assert.match(loaded.message, /but it was loaded:\nid +1n\nfullName +'Ann'\n/)
  assert.match(refused.message, /^customers: the row was to be loaded, but it was quarantined:\n {2}'name', 'missing'/)
  for (const { place } of [other, loaded, refused]) assert.match(place, /test-pipeline\.test\.ts:\d+/)
})

test('findings are those of the row that is loaded', () => {
  const row = testPipeline(customers).row({ id: 1n, name: ' Ann ', email: 'ann at example' })

  row.becomes({ id: 1n, fullName: 'Ann' }).finds('email', 'invalid')

  assert.match(
    failureOf(() => row.finds('phone', 'invalid')).message,
    /these were the findings:\n {2}'email', 'invalid'/,
  )
})

const told = database('testing-told')
class Line extends told.source('line', {
  id: bigint().primaryKey(),
  count: integer().nullable(),
  price: decimal(12, 2).nullable(),
  changedAt: timestamp().nullable(),
  isGone: boolean().nullable(),
}) {}
class Product extends told.table('product', { id: bigint().primaryKey(), label: varchar(10).nullable() }) {}
const lines = pipeline('lines', {
  extract: fullLoad(Line),
  transform: ({ id, count }) => (count === 0 ? null : { id }),
  load: upsert(Product, { by: 'id' }),
  deletes: { flag: 'isGone' },
})

test('rows are filtered and deleted', () => {
  testPipeline(lines).row({ id: 1n, count: 0 }).filters().row({ id: 1n, isGone: true }).deletes()

  const kept = failureOf(() => testPipeline(lines).row({ id: 1n }).filters())
  const filtered = failureOf(() => testPipeline(lines).row({ id: 1n, count: 0 }).deletes())

  assert.match(kept.message, /^lines: the row was to be filtered, but it was loaded:/)
  assert.equal(filtered.message, 'lines: the row was to be deleted, but it was filtered: the transform gave null.')
})

test('a field that there is not is refused, with those that there are', () => {
  const missing = { name: 'Configuration', message: /no field "nickname"; its fields are id, count/ }
  // @ts-expect-error the type knows it, too.
  assert.throws(() => testPipeline(lines).row({ nickname: 'Ann' }), missing)
  // @ts-expect-error the type knows it, too.
  assert.throws(() => testPipeline(lines).row({ id: 1n }).becomes({ id: 1n, title: 'Ann' }), /no field "title"/)
})

test('a value of another kind is refused, with how it is written', () => {
  const refused = (values: object, message: RegExp) =>
    assert.throws(() => testPipeline(lines).row(values as never), { name: 'Configuration', message })

  refused({ id: 1 }, /^lines: row\(\): id: "1" is not a bigint; a bigint is written as 7n$/)
  refused({ id: 1n, count: '1' }, /count: "1" is not a integer; a integer is written as 7$/)
  refused({ id: 1n, price: 1.1 }, /price: the number 1\.1 is not a decimal; a decimal is written as '19\.90'$/)
  refused({ id: 1n, changedAt: new Date(0) }, /changedAt: a Date is not a timestamp; .* '2026-01-31 23:30:00'$/)
  refused({ id: 1n, changedAt: 'yesterday' }, /changedAt: "yesterday" is not a timestamp/)
  refused([], /a row is an object of fields/)
})

/** What a file of tests prints, and its exit code. */
async function printed(...tests: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  const folder = await mkdtemp(fileURLToPath(new URL('./printed-', import.meta.url)))
  const imports = `import { test } from 'node:test'
import { testPipeline } from 'dray-infra/testing'
import { customers } from '#test/fixture/functions/customers/pipeline.ts'
`
  try {
    const file = join(folder, 'printed.ts')
    await writeFile(file, `${imports}${tests.join('\n')}\n`)
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    return await promisify(execFile)(process.execPath, ['--test', '--test-reporter=spec', file], { env }).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      ({ code, stdout }: { code: number; stdout: string }) => ({ code, text: stdout }),
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('the failure of a test is read as it is printed', async () => {
  const { code, text } = await printed(
    "test('wrong', () => testPipeline(customers).row({ id: 1n, name: 'Ann' }).becomes({ id: 1n, fullName: 'Bea' }))",
    "test('right', () => testPipeline(customers).row({ id: 1n, name: 'Ann' }).becomes({ id: 1n, fullName: 'Ann' }))",
  )

  assert.equal(code, 1)
  assert.match(text, /✖ wrong[\s\S]*✔ right/)
  assert.match(text, /≠ {2}fullName {2}'Bea' +'Ann'\n[\s\S]*?at TestContext\.<anonymous> .*printed\.ts:4:/)
  assert.ok(!text.includes('\u001b['), 'no colours where there is no terminal')
})

test('a row of which nothing is expected fails its file', async () => {
  const { code, text } = await printed(
    "test('silent', () => void testPipeline(customers).row({ id: 1n, name: 'Ann' }))",
  )

  assert.equal(code, 1)
  assert.match(
    text,
    /customers: nothing was expected of the row; say becomes\(\), rejects\(\) or the like\n.*printed\.ts:4:/,
  )
})
