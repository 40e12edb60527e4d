import assert from 'node:assert/strict'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  boolean,
  date,
  decimal,
  json,
  text,
  timestamp,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { dateOf, decimalOf, type JsonText, timestampOf } from 'dray/internal/active-record/values.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import type { Reconciliation } from 'dray/internal/pipeline/inspect/reconciliation.ts'
import { reloadKeys } from 'dray/internal/pipeline/stages/reload.ts'
import { onEachEngine } from './engines.ts'
import { runPipeline } from './harness.ts'

const source = database('reconcile-source')
const target = database('reconcile-target')

const fields = {
  id: bigint().primaryKey(),
  label: text().nullable(),
  price: decimal(12, 2).nullable(),
  day: date().nullable(),
  isOpen: boolean().nullable(),
  changedAt: timestamp().nullable(),
}
class Item extends source.table('item', fields) {}
class Product extends target.table('product', {
  ...fields,
  label: varchar(40).nullable(),
  startedAt: timestamp().nullable(),
  loadedAt: timestamp().touch(),
}) {}
class Copy extends target.table('copy', { ...fields, loadedAt: timestamp().touch() }) {}
/** In the database of its source. */
class Beside extends source.table('beside', fields) {}

class Document extends source.table('document', { id: bigint().primaryKey(), document: json() }) {}
class Stored extends target.table('stored_document', { id: bigint().primaryKey(), document: json() }) {}

class Part extends source.source('part', { code: varchar(10).primaryKey(), label: varchar(20).nullable() }) {}
class StoredPart extends target.table('part_dim', {
  code: varchar(10).primaryKey(),
  label: varchar(20).nullable(),
}) {}

const documents = pipeline('documents', {
  extract: fullLoad(Document),
  transform: ({ id, document }) => ({ id, document }),
  load: upsert(Stored, { by: 'id' }),
}) as unknown as Pipeline
const transforming = pipeline('items', {
  extract: fullLoad(Item),
  transform: ({ id, label, price, day, isOpen, changedAt }, { runStartedAt }) => {
    if (label === 'skip') return null
    return { id, label: label?.toUpperCase() ?? null, price, day, isOpen, changedAt, startedAt: runStartedAt }
  },
  load: upsert(Product, { by: 'id' }),
})
const changing = pipeline('items', {
  extract: changedSince(Item, { cursor: 'changedAt', lag: '0s' }),
  transform: transforming.transform,
  load: upsert(Product, { by: 'id' }),
})
const beside = pipeline('items', {
  extract: fullLoad(Item),
  transform: ({ id, label, price, day, isOpen, changedAt }) => ({ id, label, price, day, isOpen, changedAt }),
  load: upsert(Beside, { by: 'id' }),
})
const copying = pipeline('items', {
  extract: fullLoad(Item),
  transform: copyFields(Item, {
    id: 'id',
    label: 'label',
    price: 'price',
    day: 'day',
    isOpen: 'isOpen',
    changedAt: 'changedAt',
  }),
  load: upsert(Copy, { by: 'id' }),
})

const item = (id: number, over: object = {}) => ({
  id: BigInt(id),
  label: `näme ${id} 😀`,
  price: decimalOf(`${id}.50`),
  day: dateOf('2024-02-29'),
  isOpen: id % 2 === 0,
  changedAt: timestampOf('2024-01-01 00:00:00.123'),
  ...over,
})
const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
const found = ({ differences }: Reconciliation) =>
  differences
    .map(({ kind, key, columns }) => [kind, Object.values(key).join(), columns.join()].filter(Boolean).join(' '))
    .sort()

onEachEngine('a reconciliation', [source, target], (engine) => {
  // biome-ignore lint/suspicious/noExplicitAny: pipelines of several targets.
  type Any = Pipeline<any, any>
  const run = (of: Any, id: string) => runPipeline(of, id, engine.harness.services)
  const compare = (of: Any, options: object = {}) =>
    reconcile(of, engine.harness.services, { rangeRows: 10, ...options })
  let number = 0
  const fix = (of: Any, { differences }: Reconciliation) =>
    reloadKeys(
      of,
      differences.flatMap(({ sourceKey }) => (sourceKey === null ? [] : [sourceKey as string[]])),
      engine.harness.services,
      () => `fix-${++number}`,
    )

  beforeEach(async () => {
    for (const model of [Item, Product, Copy] as unknown as ModelClass[]) await model.createTable()
  })

  /** Damages the target: a row less, one more, one other. */
  async function damage(table: typeof Product | typeof Copy): Promise<void> {
    await table.deleteAll({ id: 3n })
    await (table as typeof Copy).insertAll([item(99)])
    await (table as typeof Copy).upsertAll([item(17, { label: 'other', price: decimalOf('17.51') })], { by: 'id' })
  }

  test('finds no difference after a run, and says what was compared and what was not', async () => {
    await Item.insertAll([
      ...range(25).map((id) => item(id)),
      item(26, { label: 'skip' }),
      item(27, { label: null, price: null }),
    ])
    await run(transforming, 'run-1')

    const result = await compare(transforming)

    assert.deepEqual(found(result), [])
    assert.deepEqual([result.source.rows, result.target.rows, result.rowsCompared, result.ranges], [27, 26, 27, 3])
    assert.deepEqual(result.leftOut, { filtered: 1, deleted: 0, quarantined: 0, pending: 0 })
    assert.deepEqual(result.columns, ['label', 'price', 'day', 'is_open', 'changed_at'])
    assert.ok(result.notes.some((note) => /hold the start of a run: started_at/.test(note)))
  })

  test('names the rows that are missing, extra and different, and the columns', async () => {
    await Item.insertAll(range(25).map((id) => item(id)))
    await run(transforming, 'run-1')
    await Product.deleteAll({ id: 3n })
    await Product.insertAll([item(99)])
    await target.query("update product set label = 'other', price = '17.51' where id = 17")

    const result = await compare(transforming)

    assert.deepEqual(result.counts, { missing: 1, extra: 1, different: 1 })
    assert.deepEqual(found(result), ['different 17 label,price', 'extra 99', 'missing 3'])
  })

  test('ends where source and target are tables of one database', async () => {
    await Beside.createTable()
    await Item.insertAll(range(25).map((id) => item(id)))
    await run(beside, 'run-1')
    await source.query('delete from item where id = 3')

    const result = await compare(beside)

    assert.deepEqual(found(result), ['extra 3'])
  })

  test('a fix loads just those rows by the transform of now, and leaves last_run alone', async () => {
    await Item.insertAll(range(25).map((id) => item(id)))
    await run(changing, 'run-1')
    const before = (await engine.harness.services.state.pipeline('items'))?.lastRun
    await Product.deleteAll({ id: 3n })
    await target.query("update product set label = 'other' where id = 17")

    const reloaded = await fix(changing, await compare(changing))

    assert.deepEqual([reloaded.read, reloaded.written], [2, 2])
    assert.deepEqual(found(await compare(changing)), [])
    const state = await engine.harness.services.state.pipeline('items')
    assert.equal(state?.lastRun, before)
    assert.equal(state?.leaseOwner, null)
  })

  test('rows that the next window is going to read are left to it', async () => {
    await Item.insertAll(range(5).map((id) => item(id)))
    await run(changing, 'run-1')
    const later = timestampOf('2090-01-01')
    await Item.upsertAll([item(2, { label: 'changed', changedAt: later }), item(6, { changedAt: later })], { by: 'id' })

    const result = await compare(changing)

    assert.deepEqual(found(result), [])
    assert.equal(result.leftOut.pending, 2)
  })

  test('rows in the quarantine are no differences', async () => {
    await Item.insertAll([
      ...range(5).map((id) => item(id)),
      item(6, { label: 'far too long for the column of the target table' }),
    ])
    await run(transforming, 'run-1')

    const result = await compare(transforming)

    assert.deepEqual(found(result), [])
    assert.equal(result.leftOut.quarantined, 1)
  })

  test('ends with documents whose numbers a database would change, loaded again as often as one likes', async () => {
    const type = { postgres: 'jsonb', mysql: 'json', sqlite: 'text' }[engine.dialect]
    await Document.createTable()
    await target.query(`create table stored_document (id bigint primary key, document ${type})`)
    await Document.insertAll(
      ['{"n": 0.5}', '{"n": 0.1234567890123456789}', '{"n": 12345678901234567890123}', '{"a": 1, "a": 2}'].map(
        (document, id) => ({ id: BigInt(id), document: document as JsonText }),
      ),
    )
    const { inserted, quarantined } = await run(documents, 'run-1')

    const before = await compare(documents)
    await fix(documents, before)
    await reloadKeys(
      documents,
      range(4).map((id) => [String(id - 1)]),
      engine.harness.services,
      () => 'run-2',
    )
    const after = await compare(documents)

    assert.equal(inserted + quarantined, 4)
    assert.deepEqual([found(before), found(after)], [[], []])
    assert.equal(after.leftOut.quarantined, quarantined)
  })

  test('a row that is in the target is compared although its key waits in the quarantine, and is loaded again', async () => {
    const bad = 'far too long for the column of the target table'
    await Item.insertAll(range(12).map((id) => item(id, id > 10 ? { label: bad } : {})))
    await run(transforming, 'run-1')
    // One of the refused rows gets into the target by another way; the entries of both are open.
    await Item.upsertAll([item(11)], { by: 'id' })
    await Product.upsertAll([{ ...item(11), label: 'wrong', startedAt: null }], { by: 'id' })

    const before = await compare(transforming, { deep: true })
    const keys = before.differences.map(({ sourceKey }) => sourceKey as string[])
    const fixed = await reloadKeys(transforming as unknown as Pipeline, keys, engine.harness.services, () => 'run-2')
    const left = await compare(transforming, { deep: true })

    assert.deepEqual(found(before), ['different 11 label'])
    assert.equal(before.leftOut.quarantined, 1)
    assert.match(before.notes.join(), /1 have a newer version in the quarantine/)
    assert.deepEqual([fixed.written, fixed.quarantined, found(left), left.leftOut.quarantined], [1, 0, [], 1])
    assert.doesNotMatch(left.notes.join(), /newer version/)
  })

  test('a thousand rows that were quarantined and have landed since hide nothing that is wrong in the target', async () => {
    await Item.insertAll(range(1000).map((id) => item(id)))
    const broken = pipeline('items', {
      extract: fullLoad(Item),
      transform: (_, row) => row.reject('label', 'the model is wrong'),
      load: upsert(Product, { by: 'id' }),
      quarantine: { rows: 2000, share: 1 },
    })
    await run(broken, 'run-1')
    await run(transforming, 'run-2')
    await target.query("update product set label = 'wrong' where id <= 10")

    const result = await compare(transforming, { deep: true })

    assert.deepEqual([result.counts, result.leftOut.quarantined], [{ missing: 0, extra: 0, different: 10 }, 0])
  })

  test('one damaged object of the quarantine is said, and the rows are compared', async () => {
    await Item.insertAll([item(1), item(2)])
    const refusing = pipeline('items', {
      extract: fullLoad(Item),
      transform: (row, verdict) => (row.id === 2n ? verdict.reject('id', 'bad') : transforming.transform(row, verdict)),
      load: upsert(Product, { by: 'id' }),
    })
    await run(refusing, 'run-1')
    const whole = await compare(transforming)
    const [object] = await engine.harness.services.staging.list('quarantine/items')
    await truncate(join(engine.harness.folder, 'staging', object as string), 100)

    const result = await compare(transforming)

    assert.deepEqual([found(whole), whole.leftOut.quarantined], [[], 1])
    assert.deepEqual(found(result), ['missing 2'])
    assert.match(result.notes.join(), /quarantine\/items.* is damaged, so its rows are left out/)
  })

  test('columns that are taken over as they are: digests of the databases say which ranges to read', async () => {
    await Item.insertAll(range(95).map((id) => item(id, id === 5 ? { label: null, price: null, changedAt: null } : {})))
    await run(copying, 'run-1')
    const whole = await compare(copying)
    await damage(Copy)

    const result = await compare(copying)

    const hasDigests = engine.dialect !== 'sqlite'
    assert.deepEqual(found(whole), [])
    assert.deepEqual([whole.equalByDigest, whole.rowsCompared], hasDigests ? [10, 0] : [0, 95])
    assert.deepEqual(found(result), ['different 17 label,price', 'extra 99', 'missing 3'])
    assert.deepEqual([result.equalByDigest, result.rowsCompared], hasDigests ? [7, 25] : [0, 95])
    assert.deepEqual([result.source.rows, result.target.rows], [95, 95])
  })

  test('deep: every row is read, whatever the digests say', async () => {
    await Item.insertAll(range(25).map((id) => item(id)))
    await run(copying, 'run-1')

    const result = await compare(copying, { deep: true })

    assert.deepEqual([result.equalByDigest, result.rowsCompared], [0, 25])
  })

  test('finds a row by a key that the target fills up with blanks, and compares no blanks at the end', async () => {
    await source.query('create table part (code varchar(10) primary key, label varchar(20))')
    await target.query('create table part_dim (code char(10) primary key, label char(20))')
    await source.query("insert into part values ('a', 'one'), ('b', 'two'), ('c', null), ('d', 'four')")
    const load = upsert(StoredPart, { by: 'code' })
    const parts = pipeline('parts', { extract: fullLoad(Part), transform: ({ ...part }: Part) => part, load })
    await run(parts, 'parts-1')
    assert.deepEqual(found(await compare(parts)), [])
    await target.query("update part_dim set label = 'other' where code = 'b'")
    await target.query("delete from part_dim where code = 'd'")
    await target.query("insert into part_dim values ('e', 'five')")

    const { differences } = await compare(parts)

    const said = differences.map(({ kind, key }) => `${kind} ${key.code?.trim()}`)
    assert.deepEqual(said.sort(), ['different b', 'extra e', 'missing d'])
  })
})
