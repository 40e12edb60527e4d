import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  boolean,
  decimal,
  json,
  text,
  timestamp,
  uuid,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import type { CommitOutput } from 'dray/internal/messages/stages.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, planRun, prepare, quarantined, runReference } from './harness.ts'

const source = database('history-source')
const target = database('history-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  code: varchar(20),
  label: text().nullable(),
  price: decimal(12, 2).nullable(),
  detail: json().nullable(),
}) {}
class Version extends target.table('item_history', {
  code: varchar(20).primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
  isCurrent: boolean(),
  label: varchar(10).nullable(),
  price: decimal(12, 2).nullable(),
  detail: json().nullable(),
  loadedAt: timestamp().touch(),
}) {}

class Pair extends source.table('pair', {
  id: bigint().primaryKey(),
  a: varchar(9),
  b: varchar(9).nullable(),
}) {}
class PairVersion extends target.table('pair_history', {
  a: varchar(9),
  b: varchar(9).nullable(),
  validFrom: timestamp(),
  validTo: timestamp().nullable(),
}) {}
const pairs = pipeline('pairs', {
  extract: fullLoad(Pair),
  transform: ({ a, b }: Pair) => ({ a, b }),
  load: history(PairVersion, { by: ['a', 'b'], validFrom: 'validFrom', validTo: 'validTo' }),
})

/** The same table twice: as it is, and as the pipeline takes it. */
class Named extends source.table('named', { id: varchar(40).primaryKey(), label: varchar(10) }) {}
class NamedUuid extends source.source('named', { id: uuid().primaryKey(), label: varchar(10) }) {}
class NamedVersion extends target.table('named_history', {
  id: uuid().primaryKey(),
  label: varchar(10),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
}) {}
const names = pipeline('names', {
  extract: fullLoad(NamedUuid),
  transform: ({ id, label }: NamedUuid) => ({ id, label }),
  load: history(NamedVersion, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
})

const options = { by: 'code', validFrom: 'validFrom', validTo: 'validTo', current: 'isCurrent' } as const
const toVersion = ({ code, label, price, detail }: Item) => ({ code, label, price, detail })
const everything = fullLoad(Item, { partitionRows: 4 })
const versions = pipeline('items', { extract: everything, transform: toVersion, load: history(Version, options) })
const ordered = pipeline('items', {
  extract: everything,
  transform: toVersion,
  load: history(Version, { ...options, version: 'price' }),
})
const closing = pipeline('items', {
  extract: everything,
  transform: toVersion,
  load: history(Version, options),
  deletes: { close: true, key: 'code' },
})
const labels = pipeline('items', {
  extract: everything,
  transform: toVersion,
  load: history(Version, { ...options, compare: ['label'] }),
})

async function kept(): Promise<string[]> {
  const rows = await Version.all().order('code', 'validFrom').toArray()
  return rows.map(
    ({ code, label, validFrom, validTo, isCurrent }) =>
      `${code} ${label} ${validFrom.slice(0, 10)}..${validTo?.slice(0, 10) ?? ''}${isCurrent ? ' now' : ''}`,
  )
}

onEachEngine('a history', [source, target], (engine) => {
  /** A run that starts on a day of its own. */
  async function run(of: typeof versions, id: string, day: string, time = '02:00:00.000Z'): Promise<CommitOutput> {
    const { services } = engine.harness
    const reference = { ...runReference(id), started_at: `${day}T${time}` }
    const planned = await plan(of, { run: reference, pipeline: of.name }, services)
    const { plan: staged, epoch } = planned
    for (const { partition } of planned.partitions) {
      const input = { run: reference, pipeline: of.name, plan: staged, epoch, partition }
      await load(of, await transform(of, await extract(of, input, services), services), services)
    }
    return commit(of, { run: reference, pipeline: of.name, plan: staged, epoch }, services)
  }

  const change = (label: string, over: object = {}) =>
    Item.upsertAll([{ id: 1n, code: 'a', label, price: decimalOf('1.50'), ...over }], { by: 'id' })

  beforeEach(async () => {
    for (const model of [Item, Version] as unknown as ModelClass[]) await model.createTable()
  })

  test('keeps a version of each row, and closes it at the start of the run that finds another', async () => {
    await Item.insertAll([
      { id: 1n, code: 'a', label: 'one', price: decimalOf('1.50') },
      { id: 2n, code: 'b', label: 'two' },
    ])
    const first = await run(versions, 'run-1', '2024-01-01')
    await change('ONE')
    await Item.insertAll([{ id: 3n, code: 'c', label: 'three' }])

    const second = await run(versions, 'run-2', '2024-01-02')

    assert.deepEqual([first.read, first.inserted], [2, 2])
    assert.deepEqual([second.read, second.inserted, second.unchanged], [3, 2, 1])
    assert.deepEqual(await kept(), [
      'a one 2024-01-01..2024-01-02',
      'a ONE 2024-01-02.. now',
      'b two 2024-01-01.. now',
      'c three 2024-01-02.. now',
    ])
  })

  for (const type of ['seconds', 'days'] as const) {
    test(`a version begins at a moment that the table holds, where that is whole ${type}`, async (context) => {
      const types = {
        postgres: { seconds: 'timestamp(0)', days: 'date' },
        mysql: { seconds: 'datetime', days: 'date' },
        sqlite: null,
      }[engine.dialect]
      if (types === null) return context.skip('SQLite keeps what it is given')
      for (const column of ['valid_from', 'valid_to']) {
        const isNullable = column === 'valid_to'
        await target.query(
          engine.dialect === 'mysql'
            ? `alter table item_history modify ${column} ${types[type]} ${isNullable ? 'null' : 'not null'}`
            : `alter table item_history alter column ${column} type ${types[type]}`,
        )
      }
      await Item.insertAll([
        { id: 1n, code: 'a', label: 'one' },
        { id: 2n, code: 'b', label: 'two' },
      ])
      const first = await run(closing, 'run-1', '2024-01-01', '02:00:00.987Z')
      await change('ONE')
      await source.query("delete from item where code = 'b'")

      const second = await run(closing, 'run-2', '2024-01-02', '02:00:00.987Z')

      assert.deepEqual([first.inserted, first.quarantined, second.quarantined], [2, 0, 0])
      assert.deepEqual(await kept(), [
        'a one 2024-01-01..2024-01-02',
        'a ONE 2024-01-02.. now',
        'b two 2024-01-01..2024-01-02',
      ])
    })
  }

  test('rows that are the same write nothing, however the engine writes them', async () => {
    const detail = '{"b": 1.0, "a": [12345678901234567890, true]}' as never
    await Item.insertAll([{ id: 1n, code: 'a', label: 'one', price: decimalOf('1.50'), detail }])
    await run(versions, 'run-1', '2024-01-01')
    const before = await target.query('select * from item_history')

    const second = await run(versions, 'run-2', '2024-01-02')

    assert.deepEqual([second.inserted, second.updated, second.unchanged], [0, 0, 1])
    assert.deepEqual((await target.query('select * from item_history')).rows, before.rows)
  })

  test('only the fields that are compared make a new version', async () => {
    await change('one')
    await run(labels, 'run-1', '2024-01-01')
    await change('one', { price: decimalOf('9.99') })

    assert.equal((await run(labels, 'run-2', '2024-01-02')).unchanged, 1)
  })

  test('a load delivered twice writes one version', async () => {
    await change('one')
    await run(versions, 'run-1', '2024-01-01')
    await change('ONE')
    const { services } = engine.harness
    const planned = await planRun(versions, 'run-2', services)
    const input = await prepare(versions, 'run-2', planned, 0, services)
    await load(versions, input, services)

    await load(versions, input, services)
    await load(versions, await prepare(versions, 'run-2', planned, 0, services), services)

    assert.equal((await commitRun(versions, 'run-2', planned, services)).inserted, 1)
    assert.equal((await kept()).length, 2)
  })

  test('the same key twice in a batch: the last one counts, and writes nothing when it is the current version', async () => {
    await Item.insertAll([
      { id: 1n, code: 'a', label: 'old', price: decimalOf('1.00') },
      { id: 2n, code: 'a', label: 'one', price: decimalOf('2.00') },
    ])
    const first = await run(ordered, 'run-1', '2024-01-01')

    const second = await run(ordered, 'run-2', '2024-01-02')

    assert.deepEqual([first.read, first.inserted, first.duplicate], [2, 1, 1])
    assert.deepEqual([second.inserted, second.unchanged, second.duplicate], [0, 1, 1])
    assert.deepEqual(await kept(), ['a one 2024-01-01.. now'])
  })

  test('a row that the target refuses is quarantined, and its version before stays open', async () => {
    await target.query('create unique index one_label on item_history (label)')
    await Item.insertAll([
      { id: 1n, code: 'a', label: 'one' },
      { id: 2n, code: 'b', label: 'two' },
    ])
    await run(versions, 'run-1', '2024-01-01')
    await Version.insertAll([
      { code: 'z', validFrom: timestampOf('2020-01-01'), validTo: null, isCurrent: true, label: 'taken' },
    ])
    await Item.upsertAll(
      [
        { id: 1n, code: 'a', label: 'taken' },
        { id: 2n, code: 'b', label: 'TWO' },
      ],
      { by: 'id' },
    )

    const second = await run(versions, 'run-2', '2024-01-02')

    assert.deepEqual([second.read, second.inserted, second.quarantined], [2, 1, 1])
    assert.deepEqual(
      (await kept()).filter((line) => !line.startsWith('z')),
      ['a one 2024-01-01.. now', 'b two 2024-01-01..2024-01-02', 'b TWO 2024-01-02.. now'],
    )
    assert.deepEqual(
      (await quarantined(engine.harness, 'run-2', 'items')).map(({ row }) => row.code),
      ['a'],
    )
  })

  test('a row is quarantined alone whose version before a trigger keeps from being closed', async () => {
    const items = (label: string) =>
      Array.from({ length: 10 }, (_, index) => ({ id: BigInt(index), code: `c${index}`, label }))
    await Item.insertAll(items('one'))
    await run(versions, 'run-1', '2024-06-01')
    const statements = {
      postgres: [
        "create function kept() returns trigger language plpgsql as $$begin if old.code = 'c5' then raise exception 'c5 is closed for good'; end if; return new; end$$",
        'create trigger kept before update on item_history for each row execute function kept()',
      ],
      mysql: [
        "create trigger kept before update on item_history for each row begin if old.code = 'c5' then signal sqlstate '45000' set message_text = 'c5 is closed for good'; end if; end",
      ],
      sqlite: [
        "create trigger kept before update on item_history when old.code = 'c5' begin select raise(abort, 'c5 is closed for good'); end",
      ],
    }[engine.dialect]
    for (const statement of statements) await target.query(statement)
    await Item.upsertAll(items('two'), { by: 'id' })

    const output = await run(versions, 'run-2', '2024-06-02')

    assert.deepEqual([output.inserted, output.quarantined], [9, 1])
    const current = (await kept()).filter((line) => line.endsWith(' now'))
    assert.deepEqual(
      current.filter((line) => line.includes('one')),
      ['c5 one 2024-06-01.. now'],
    )
    assert.equal(current.length, 10)
    const [entry] = await quarantined(engine.harness, 'run-2', 'items')
    assert.equal(entry?.row.code, 'c5')
    assert.match(entry?.errors[0]?.message ?? '', /the version before cannot be closed: .*c5 is closed for good/)
  })

  test('rows of one load that write one key in two ways are both quarantined', async () => {
    await Named.createTable()
    await NamedVersion.createTable()
    const one = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
    const ids = [one, one.toUpperCase(), 'c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']
    await Named.insertAll(ids.map((id) => ({ id, label: 'n' })))

    const output = await run(names as never, 'run-1', '2024-06-01')

    assert.deepEqual([output.inserted, output.duplicate, output.quarantined], [1, 0, 2])
    const entries = await quarantined(engine.harness, 'run-1', 'names')
    assert.deepEqual(
      new Map(entries.map(({ row, errors }) => [row.id, errors[0]?.code])),
      new Map(ids.slice(0, 2).map((id) => [id, 'spelling'])),
    )
  })

  test('a row whose key has a NULL is quarantined in each run', async () => {
    for (const model of [Pair, PairVersion] as unknown as ModelClass[]) await model.createTable()
    await target.query('create unique index pair_key on pair_history (a, b, valid_from)')
    await Pair.insertAll([
      { id: 1n, a: 'x', b: null },
      { id: 2n, a: 'x', b: 'y' },
    ])

    const first = await run(pairs as unknown as typeof versions, 'run-1', '2024-01-01')
    const second = await run(pairs as unknown as typeof versions, 'run-2', '2024-01-02')

    assert.deepEqual([first.inserted, first.quarantined], [1, 1])
    assert.deepEqual([second.inserted, second.unchanged, second.quarantined], [0, 1, 1])
    const [entry] = await quarantined(engine.harness, 'run-2', 'pairs')
    assert.deepEqual([entry?.row.a, entry?.row.b], ['x', null])
    assert.equal(await PairVersion.count(), 1)
  })

  test('where the target refuses the last row of a key, the one before it becomes the version', async () => {
    await target.query('create unique index one_label on item_history (label)')
    await Version.insertAll([
      { code: 'z', validFrom: timestampOf('2020-01-01'), validTo: null, isCurrent: true, label: 'taken' },
    ])
    await Item.insertAll([
      { id: 1n, code: 'a', label: 'one', price: decimalOf('1.00') },
      { id: 2n, code: 'a', label: 'two', price: decimalOf('2.00') },
      { id: 3n, code: 'a', label: 'taken', price: decimalOf('3.00') },
    ])

    const { read, inserted, duplicate, quarantined: refused } = await run(ordered, 'run-1', '2024-01-01')

    assert.deepEqual([read, inserted, duplicate, refused], [3, 1, 1, 1])
    assert.deepEqual(
      (await kept()).filter((line) => !line.startsWith('z')),
      ['a two 2024-01-01.. now'],
    )
  })

  test('of a key with very many refused rows the rest is quarantined without being tried', async () => {
    await target.query('create unique index one_label on item_history (label)')
    await Version.insertAll([
      { code: 'z', validFrom: timestampOf('2020-01-01'), validTo: null, isCurrent: true, label: 'taken' },
    ])
    const layered = pipeline('items', {
      extract: fullLoad(Item),
      transform: toVersion,
      load: history(Version, options),
      quarantine: { rows: 1_000, share: 1 },
    })
    await Item.insertAll([
      { id: 1n, code: 'b', label: 'good' },
      ...Array.from({ length: 30 }, (_, index) => ({ id: BigInt(index + 2), code: 'a', label: 'taken' })),
    ])

    const { inserted, duplicate, quarantined: refused } = await run(layered, 'run-1', '2024-01-01')

    assert.deepEqual([inserted, duplicate, refused], [1, 0, 30])
    const rows = await quarantined(engine.harness, 'run-1', 'items')
    assert.equal(rows.filter(({ errors }) => errors[0]?.message.startsWith('not tried')).length, 10)
  })

  test('a run whose start is before the version that is there changes that version: none ends before it began', async () => {
    await change('one')
    await run(versions, 'run-1', '2024-01-05')
    await change('ONE')

    const second = await run(versions, 'run-2', '2024-01-02')

    assert.deepEqual([second.inserted, second.updated], [0, 1])
    assert.deepEqual(await kept(), ['a ONE 2024-01-05.. now'])
  })

  test('a row that is gone has its version closed, and one that comes back begins a new one', async () => {
    await Item.insertAll([
      { id: 1n, code: 'a', label: 'one' },
      { id: 2n, code: 'B', label: 'two' },
      { id: 3n, code: 'ä', label: 'three' },
    ])
    await run(closing, 'run-1', '2024-01-01')
    await Item.deleteAll({ id: 2n })
    await run(closing, 'run-2', '2024-01-02')
    await Item.insertAll([{ id: 2n, code: 'B', label: 'two' }])

    await run(closing, 'run-3', '2024-01-03')

    const steps = await Promise.all(
      ['run-1', 'run-2', 'run-3'].map(async (id) => (await engine.harness.services.state.run(id))?.steps[0]?.deleted),
    )
    assert.deepEqual(steps, [0, 1, 0])
    assert.deepEqual((await kept()).sort(), [
      'B two 2024-01-01..2024-01-02',
      'B two 2024-01-03.. now',
      'a one 2024-01-01.. now',
      'ä three 2024-01-01.. now',
    ])
  })
})

test('a history needs fields that can hold the validity', () => {
  assert.throws(
    () => history(Version, { by: 'code', validFrom: 'validFrom', validTo: 'label' }),
    /label is not a nullable timestamp field/,
  )
  assert.throws(
    () =>
      pipeline('items', {
        extract: everything,
        transform: toVersion,
        load: history(Version, options),
        deletes: 'hard',
      }),
    /does not go with history\(\): use 'close'/,
  )
})
