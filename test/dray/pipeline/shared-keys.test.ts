import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, decimal, double, text, timestamp, uuid, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { Timestamp } from 'dray/internal/active-record/values.ts'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import { changedSince, type Extraction, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, type Loading, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract as extractStage } from 'dray/internal/pipeline/stages/extract.ts'
import { load as loadStage } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runReference } from './harness.ts'

const source = database('shared-keys-source')
const target = database('shared-keys-target')

class Price extends source.table('price', {
  id: bigint().primaryKey(),
  code: varchar(40),
  label: varchar(20),
  changedAt: timestamp(),
}) {}
const content = { label: varchar(20), changedAt: timestamp() }
/** The same, where a row need not say when it was changed. */
class Draft extends source.table('draft', {
  id: bigint().primaryKey(),
  code: varchar(40),
  label: varchar(20),
  changedAt: timestamp().nullable(),
}) {}
class Dated extends target.table('dated', {
  code: varchar(20).primaryKey(),
  label: varchar(20),
  changedAt: timestamp().nullable(),
}) {}
/** Its table has no unique key: a row may be there twice. */
class Loose extends source.source('loose', { code: varchar(20).primaryKey(), label: varchar(20) }) {}
class Product extends target.table('product', { code: varchar(20).primaryKey(), ...content }) {}
class ProductVersion extends target.table('product_version', {
  code: varchar(20).primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
  current: text().nullable(),
  ...content,
}) {}
class Person extends source.table('person', {
  id: bigint().primaryKey(),
  mergedInto: bigint().nullable(),
  name: varchar(20),
  changedAt: timestamp(),
}) {}
class Customer extends target.table('customer', { id: bigint().primaryKey(), name: varchar(20) }) {}

const validity = { by: 'code', validFrom: 'validFrom', validTo: 'validTo', compare: ['label'] } as const
const moment = (minute: number) => `2024-01-01 10:${String(minute).padStart(2, '0')}:00.000000` as Timestamp

/** Rows of two codes: of `a` the one in the middle is the newest, of `b` the first. */
const PRICES = [
  { id: 1n, code: 'b', label: 'b-new', changedAt: moment(50) },
  { id: 2n, code: 'a', label: 'a-old', changedAt: moment(10) },
  { id: 3n, code: 'a', label: 'a-new', changedAt: moment(40) },
  { id: 4n, code: 'b', label: 'b-old', changedAt: moment(20) },
  { id: 5n, code: 'a', label: 'a-mid', changedAt: moment(30) },
]

/** Texts that the target takes for one key, and the column that does; `null` where an engine has no such column. */
const SPELLINGS = {
  numbers: {
    texts: ['1.0', '1', '1.00'],
    key: decimal(10, 2),
    column: { postgres: 'numeric(10,2)', mysql: 'decimal(10,2)', sqlite: 'numeric' },
  },
  zeros: {
    texts: ['0', '-0', '0'],
    key: double(),
    column: { postgres: 'double precision', mysql: null, sqlite: null },
  },
  capitals: {
    texts: ['ann', 'ANN', 'Ann'],
    key: varchar(20),
    column: { postgres: 'citext', mysql: 'varchar(20) collate utf8mb4_general_ci', sqlite: 'text collate nocase' },
  },
  padding: { texts: ['b', 'b ', 'b  '], key: varchar(20), column: { postgres: 'char(5)', mysql: null, sqlite: null } },
  identifiers: {
    texts: [
      '6F9619FF-8B86-D011-B42D-00C04FC964FF',
      '6f9619ff-8b86-d011-b42d-00c04fc964ff',
      '6F9619ff-8b86-d011-b42d-00c04fc964ff',
    ],
    key: uuid(),
    column: { postgres: 'uuid', mysql: null, sqlite: 'text collate nocase' },
  },
} as const

const ORDERS = { 'in their order': [0, 1, 2, 3, 4], 'the last partition first': [4, 3, 2, 1, 0] } as const

onEachEngine('several source rows of one target row', [source, target], (engine) => {
  // biome-ignore lint/suspicious/noExplicitAny: a pipeline of any target.
  const of = (extract: Extraction<typeof Price>, load: Loading<any, any>) =>
    pipeline('prices', {
      extract,
      transform: ({ code, label, changedAt }: Price) => ({ code, label, changedAt }),
      load,
    } as never) as unknown as Pipeline
  const changed = (partitionRows: number) =>
    changedSince(Price, { cursor: 'changedAt', lag: '0s', zone: 'UTC', partitionRows })

  /** A run on a day; its partitions are loaded in this order. */
  async function runOn(
    loaded: Pipeline,
    day: number,
    order: readonly number[] = ORDERS['in their order'],
    mode: RunMode | null = null,
  ) {
    const { services } = engine.harness
    const run = { ...runReference(`run-${day}`), started_at: `2024-06-0${day}T02:00:00.000Z` }
    const work = { run, pipeline: loaded.name }
    const planned = await plan(loaded, { ...work, mode }, services)
    const given = { ...work, plan: planned.plan, epoch: planned.epoch, planned_by: planned.planned_by }
    const numbers = planned.partitions.map(({ partition }) => partition)
    for (const partition of order.filter((number) => numbers.includes(number))) {
      const extracted = await extractStage(loaded, { ...given, partition }, services)
      await loadStage(loaded, await transform(loaded, extracted, services), services)
    }
    return commit(loaded, given, services)
  }

  const products = async () => (await Product.all().order('code').toArray()).map(({ code, label }) => [code, label])
  const versions = async () => {
    const rows = await ProductVersion.all().order({ code: 'asc', validFrom: 'asc' }).toArray()
    return rows.map((row) => [row.code, row.label, row.validFrom.slice(0, 10), row.validTo?.slice(0, 10) ?? null])
  }
  const NEWEST = [
    ['a', 'a-new'],
    ['b', 'b-new'],
  ]

  beforeEach(async () => {
    await Price.createTable()
    await Person.createTable()
    await Product.createTable()
    await ProductVersion.createTable()
    await Customer.createTable()
    await Price.insertAll(PRICES)
  })

  for (const [said, order] of Object.entries(ORDERS)) {
    for (const partitionRows of order[0] === 0 ? [1, 100] : [1, 2]) {
      test(`the newest by the cursor counts, in partitions of ${partitionRows}, ${said}`, async () => {
        const loaded = of(changed(partitionRows), upsert(Product, { by: 'code' }))

        await runOn(loaded, 1, order)

        assert.deepEqual(await products(), NEWEST)
      })

      test(`the newest by the version counts in a full load, in partitions of ${partitionRows}, ${said}`, async () => {
        const loaded = of(fullLoad(Price, { partitionRows }), upsert(Product, { by: 'code', version: 'changedAt' }))

        await runOn(loaded, 1, order)
        const first = await products()
        const again = await runOn(loaded, 2, order)

        assert.deepEqual([first, await products()], [NEWEST, NEWEST])
        assert.deepEqual([again.inserted, again.updated], [0, 0])
      })

      test(`a replace keeps the newest by its version, in partitions of ${partitionRows}, ${said}`, async () => {
        const loaded = of(fullLoad(Price, { partitionRows }), replace(Product, { by: 'code', version: 'changedAt' }))

        await runOn(loaded, 1, order)

        assert.deepEqual(await products(), NEWEST)
      })

      test(`a history begins no version where nothing has changed, in partitions of ${partitionRows}, ${said}`, async () => {
        const loaded = of(changed(partitionRows), history(ProductVersion, validity))

        for (const [day, way] of [order, [...order].reverse(), order].entries()) {
          await runOn(loaded, day + 1, way)
          // All rows are read again.
          await setLastRun(loaded, null, engine.harness.services)
        }

        assert.deepEqual(await versions(), [
          ['a', 'a-new', '2024-06-01', null],
          ['b', 'b-new', '2024-06-01', null],
        ])
      })
    }
  }

  test('a history by a version begins none either, and takes the change that comes', async () => {
    const loaded = of(
      fullLoad(Price, { partitionRows: 2 }),
      history(ProductVersion, { ...validity, version: 'changedAt' }),
    )

    await runOn(loaded, 1)
    await runOn(loaded, 2, ORDERS['the last partition first'])
    await Price.upsertAll([{ id: 5n, code: 'a', label: 'a-newer', changedAt: moment(45) }], { by: 'id' })
    await runOn(loaded, 3)

    assert.deepEqual(await versions(), [
      ['a', 'a-new', '2024-06-01', '2024-06-03'],
      ['a', 'a-newer', '2024-06-03', null],
      ['b', 'b-new', '2024-06-01', null],
    ])
  })

  test('of equal stamps the row of the greater key counts, however the table is cut', async () => {
    await Price.upsertAll(
      PRICES.map((row) => ({ ...row, changedAt: moment(10) })),
      { by: 'id' },
    )

    for (const [day, partitionRows] of [1, 2, 100].entries()) {
      const loaded = of(changed(partitionRows), upsert(Product, { by: 'code' }))
      await runOn(loaded, day + 1, ORDERS['the last partition first'])
      await setLastRun(loaded, null, engine.harness.services)

      assert.deepEqual(await products(), [
        ['a', 'a-mid'],
        ['b', 'b-old'],
      ])
    }
  })

  for (const [name, load] of Object.entries({
    upsert: upsert(Product, { by: 'code' }),
    replace: replace(Product),
    history: history(ProductVersion, validity),
  })) {
    for (const partitionRows of [1, 100]) {
      test(`are refused where nothing orders them: ${name} of a full load in partitions of ${partitionRows}`, async () => {
        const loaded = of(fullLoad(Price, { partitionRows }), load)

        await assert.rejects(
          runOn(loaded, 1),
          /several rows of shared-keys-source\.price are one row of shared-keys-target\.product\w*, that of code [ab], and nothing says which .*; give the load a version/,
        )
      })
    }
  }

  test('of one key of the source, which its table does not hold to, are counted as duplicates where they are the same', async () => {
    await source.query('create table loose (code varchar(20), label varchar(20))')
    await source.query("insert into loose values ('a', 'one'), ('a', 'two'), ('b', 'three')")
    const loaded = pipeline('prices', {
      extract: fullLoad(Loose),
      transform: ({ code, label }: Loose) => ({ code, label, changedAt: moment(1) }),
      load: upsert(Product, { by: 'code' }),
    }) as unknown as Pipeline

    const { read, inserted, duplicate } = await runOn(loaded, 1)

    assert.deepEqual([read, inserted, duplicate], [3, 2, 1])
  })

  test('need no order where all of them say the same', async () => {
    await Price.upsertAll(
      PRICES.map((row) => ({ ...row, label: row.code, changedAt: moment(10) })),
      { by: 'id' },
    )

    for (const [day, partitionRows] of [1, 100].entries()) {
      const { read, quarantined: refused } = await runOn(
        of(fullLoad(Price, { partitionRows }), upsert(Product, { by: 'code' })),
        day + 1,
      )

      assert.deepEqual([read, refused], [5, 0])
      assert.deepEqual(await products(), [
        ['a', 'a'],
        ['b', 'b'],
      ])
    }
  })

  test('rows of other keys than in the source are loaded as ever where none is shared', async () => {
    const loaded = pipeline('prices', {
      extract: fullLoad(Price, { partitionRows: 2 }),
      transform: ({ id, label, changedAt }: Price) => ({ code: `P${id}`, label, changedAt }),
      load: upsert(Product, { by: 'code' }),
    }) as unknown as Pipeline

    const { inserted } = await runOn(loaded, 1)

    assert.equal(inserted, 5)
  })

  test('a row that takes its key over and one that is merged into it: the newer one counts', async () => {
    await Person.insertAll([
      { id: 1n, mergedInto: null, name: 'old', changedAt: moment(10) },
      { id: 2n, mergedInto: null, name: 'own', changedAt: moment(10) },
      { id: 3n, mergedInto: 1n, name: 'new', changedAt: moment(20) },
      { id: 4n, mergedInto: 2n, name: 'older', changedAt: moment(5) },
    ])
    const loaded = pipeline('people', {
      extract: changedSince(Person, { cursor: 'changedAt', lag: '0s', zone: 'UTC', partitionRows: 1 }),
      transform: ({ id, mergedInto, name }: Person) => ({ id: mergedInto ?? id, name }),
      load: upsert(Customer, { by: 'id' }),
    }) as unknown as Pipeline

    await runOn(loaded, 1, ORDERS['the last partition first'])

    const rows = await Customer.all().order('id').toArray()
    assert.deepEqual(
      rows.map(({ id, name }) => [id, name]),
      [
        [1n, 'new'],
        [2n, 'own'],
      ],
    )
  })

  for (const rangeRows of [1, 100]) {
    test(`reconcile looks for the newest only, in ranges of ${rangeRows}`, async () => {
      const loaded = of(changed(100), upsert(Product, { by: 'code' }))
      await runOn(loaded, 1)
      const look = () => reconcile(loaded, engine.harness.services, { rangeRows })

      const right = await look()
      await target.query("update product set label = 'a-old' where code = 'a'")
      await target.query("delete from product where code = 'b'")
      const wrong = await look()

      assert.deepEqual([right.counts.different, right.counts.missing, right.rowsCompared], [0, 0, 5])
      assert.deepEqual(
        wrong.differences.map(({ kind, key, sourceKey }) => [kind, key, sourceKey]),
        [
          ['missing', { code: 'b' }, ['1']],
          ['different', { code: 'a' }, ['3']],
        ],
      )
    })
  }

  test('reconcile finds that the newest by a version is gone from the source, which the load does not undo', async () => {
    const loaded = of(fullLoad(Price, { partitionRows: 2 }), upsert(Product, { by: 'code', version: 'changedAt' }))
    await runOn(loaded, 1)
    await Price.deleteAll({ id: 3n })

    await runOn(loaded, 2)
    const { differences } = await reconcile(loaded, engine.harness.services)
    await target.query("delete from product where code = 'a'")
    await runOn(loaded, 3)

    assert.deepEqual(
      differences.map(({ kind, key, columns }) => [kind, key, columns]),
      [['different', { code: 'a' }, ['label', 'changed_at']]],
    )
    assert.deepEqual(await products(), [
      ['a', 'a-mid'],
      ['b', 'b-new'],
    ])
  })

  test('a backfill in chunks writes the newest of them', async () => {
    const loaded = of(changed(100), upsert(Product, { by: 'code' }))
    const backfill = { from: '2024-01-01T10:00:00Z', to: '2024-01-01T11:00:00Z', chunk: '15m' }

    await runOn(loaded, 1, ORDERS['the last partition first'], { backfill })

    assert.deepEqual(await products(), NEWEST)
  })

  test('an append to a table with a key keeps the first and quarantines the others', async () => {
    await runOn(of(changed(1), append(Product)), 1)

    assert.deepEqual((await products()).length, 2)
    const kept = await quarantined(engine.harness, 'run-1', 'prices')
    assert.deepEqual(kept.map(({ row }) => row.code).sort(), ['a', 'a', 'b'])
  })

  describe('without a cursor', () => {
    const drafts = (partitionRows: number, load: unknown) =>
      pipeline('drafts', {
        extract: changedSince(Draft, { cursor: 'changedAt', nulls: 'include', lag: '0s', zone: 'UTC', partitionRows }),
        transform: ({ code, label, changedAt }: Draft) => ({ code, label, changedAt }),
        load,
      } as never) as unknown as Pipeline

    beforeEach(async () => {
      await Draft.createTable()
      await Dated.createTable()
      await Draft.insertAll([
        { id: 1n, code: 'a', label: 'undated', changedAt: null },
        { id: 2n, code: 'a', label: 'dated', changedAt: moment(10) },
        { id: 3n, code: 'a', label: 'undated', changedAt: null },
      ])
    })

    for (const partitionRows of [1, 100]) {
      test(`are refused, since no later run would see the others, in partitions of ${partitionRows}`, async () => {
        await assert.rejects(
          runOn(drafts(partitionRows, upsert(Dated, { by: 'code' })), 1),
          /a row of shared-keys-source\.draft has no changed_at, .*Give the load a version/,
        )
      })

      test(`are the oldest by a version, in partitions of ${partitionRows}`, async () => {
        const loaded = drafts(partitionRows, upsert(Dated, { by: 'code', version: 'changedAt' }))

        const landed: unknown[] = []
        for (const [day, order] of Object.values(ORDERS).entries()) {
          const { read } = await runOn(loaded, day + 1, order)
          landed.push([read, ...(await Dated.all().toArray()).map(({ label }) => label)])
        }

        assert.deepEqual(landed, [
          [3, 'dated'],
          [2, 'dated'],
        ])
      })
    }
  })

  for (const [said, order] of Object.entries(ORDERS)) {
    test(`the newest lands where two swap a unique value, ${said}`, async () => {
      await target.query('create unique index label on product (label)')
      await Price.deleteAll()
      await Price.insertAll([
        { id: 1n, code: 'a', label: 'one', changedAt: moment(1) },
        { id: 2n, code: 'b', label: 'two', changedAt: moment(1) },
      ])
      const loaded = of(changed(1), upsert(Product, { by: 'code' }))
      await runOn(loaded, 1)
      await Price.upsertAll(
        [
          { id: 1n, code: 'a', label: 'two', changedAt: moment(40) },
          { id: 2n, code: 'b', label: 'one', changedAt: moment(40) },
          { id: 3n, code: 'a', label: 'old', changedAt: moment(20) },
          { id: 4n, code: 'b', label: 'older', changedAt: moment(20) },
        ],
        { by: 'id' },
      )
      await setLastRun(loaded, null, engine.harness.services)

      const { read, quarantined: refused } = await runOn(loaded, 2, order)

      assert.deepEqual(await products(), [
        ['a', 'two'],
        ['b', 'one'],
      ])
      assert.deepEqual([read, refused], [4, 0])
      assert.deepEqual(await quarantined(engine.harness, 'run-2', 'prices'), [])
    })

    for (const partitionRows of [1, 100]) {
      test(`one that is refused is not kept where a newer one has landed, in partitions of ${partitionRows}, ${said}`, async () => {
        await target.query('create unique index label on product (label)')
        await target.query("insert into product (code, label, changed_at) values ('z', 'a-mid', '2024-01-01 00:00:00')")

        const {
          read,
          inserted,
          updated,
          duplicate,
          quarantined: refused,
        } = await runOn(of(changed(partitionRows), upsert(Product, { by: 'code' })), 1, order)

        assert.deepEqual(await products(), [...NEWEST, ['z', 'a-mid']])
        assert.deepEqual([read, inserted, updated + duplicate, refused], [5, 2, 3, 0])
        assert.deepEqual(await quarantined(engine.harness, 'run-1', 'prices'), [])
      })
    }
  }

  test('the newest that the target refuses is quarantined, and the one before it counts', async () => {
    await target.query('create unique index label on product (label)')
    await target.query("insert into product (code, label, changed_at) values ('z', 'a-new', '2024-01-01 00:00:00')")

    await runOn(of(changed(1), upsert(Product, { by: 'code' })), 1, ORDERS['the last partition first'])

    assert.deepEqual(await products(), [
      ['a', 'a-mid'],
      ['b', 'b-new'],
      ['z', 'a-new'],
    ])
    const kept = await quarantined(engine.harness, 'run-1', 'prices')
    assert.deepEqual(
      kept.map(({ row }) => row.label),
      ['a-new'],
    )
  })

  for (const [kind, { texts, key, column: columns }] of Object.entries(SPELLINGS)) {
    const column = columns[engine.dialect]
    if (column === null) continue
    const content = { label: varchar(20), changedAt: timestamp() }
    class Spelled extends target.table('spelled', { code: key.primaryKey(), ...content }) {}
    class SpelledVersion extends target.table('spelled_version', {
      code: key.primaryKey(),
      validFrom: timestamp().primaryKey(),
      validTo: timestamp().nullable(),
      ...content,
    }) {}
    const spelled = (extract: Extraction<typeof Price>, load: unknown) =>
      pipeline('prices', {
        extract,
        transform: ({ code, label, changedAt }: Price) => ({
          code: kind === 'zeros' ? Number(code) : code,
          label,
          changedAt,
        }),
        load,
      } as never) as unknown as Pipeline
    const labels = async (table: string) =>
      (await target.query(`select label from ${table}`)).rows.map(([label]) => label)

    describe(`whose key is spelled in several ways (${kind})`, () => {
      beforeEach(async () => {
        const types = { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'text' }
        const changedAt = `label varchar(20), changed_at ${types[engine.dialect]}`
        if (engine.dialect === 'postgres') await target.query('create extension if not exists citext')
        await target.query(`create table spelled (code ${column} not null primary key, ${changedAt})`)
        const type = types[engine.dialect]
        await target.query(
          `create table spelled_version (code ${column} not null, valid_from ${type} not null, valid_to ${type}, ${changedAt}, primary key (code, valid_from))`,
        )
        await Price.deleteAll()
        await Price.insertAll([
          { id: 1n, code: texts[0], label: 'old', changedAt: moment(10) },
          { id: 2n, code: texts[1], label: 'new', changedAt: moment(30) },
          { id: 3n, code: texts[2], label: 'mid', changedAt: moment(20) },
        ])
      })

      for (const partitionRows of [1, 100]) {
        for (const [said, order] of Object.entries(ORDERS)) {
          test(`the newest by the cursor counts, in partitions of ${partitionRows}, ${said}`, async () => {
            const {
              read,
              inserted,
              updated,
              duplicate,
              quarantined: refused,
            } = await runOn(spelled(changed(partitionRows), upsert(Spelled, { by: 'code' })), 1, order)

            assert.deepEqual(await labels('spelled'), ['new'])
            assert.deepEqual([read, inserted, updated + duplicate, refused], [3, 1, 2, 0])
            assert.deepEqual(await quarantined(engine.harness, 'run-1', 'prices'), [])
          })
        }

        test(`a full load is refused where nothing orders them, in partitions of ${partitionRows}`, async () => {
          await assert.rejects(
            runOn(spelled(fullLoad(Price, { partitionRows }), upsert(Spelled, { by: 'code' })), 1),
            /several rows of shared-keys-source\.price are one row of shared-keys-target\.spelled/,
          )
        })

        for (const [table, load, due] of [
          ['spelled', upsert(Spelled, { by: 'code' }), ['newest']],
          ['spelled_version', history(SpelledVersion, validity), ['new', 'newest']],
        ] as const) {
          test(`a newer one of a later run takes its place in ${table}, in partitions of ${partitionRows}`, async () => {
            const loaded = spelled(changed(partitionRows), load)
            await runOn(loaded, 1)
            await setLastRun(loaded, moment(40), engine.harness.services)
            await Price.upsertAll([{ id: 3n, code: texts[2], label: 'newest', changedAt: moment(50) }], { by: 'id' })

            const { read, quarantined: refused } = await runOn(loaded, 2)

            assert.deepEqual([read, refused], [1, 0])
            assert.deepEqual((await labels(table)).sort(), due)
          })
        }

        test(`a history begins no version where nothing has changed, in partitions of ${partitionRows}`, async () => {
          const loaded = spelled(changed(partitionRows), history(SpelledVersion, validity))

          for (const [day, order] of [...Object.values(ORDERS), ...Object.values(ORDERS)].entries()) {
            await runOn(loaded, day + 1, order)
            // All rows are read again.
            await setLastRun(loaded, null, engine.harness.services)
          }

          assert.deepEqual(await labels('spelled_version'), ['new'])
        })
      }
    })
  }
})
