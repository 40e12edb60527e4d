import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runReference } from './harness.ts'

const source = database('history-stored-source')
const target = database('history-stored-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  value: text().nullable(),
  version: text().nullable(),
}) {}
class Version extends target.table('item_history', {
  id: bigint(),
  value: text().nullable(),
  version: varchar(20).nullable(),
  validFrom: timestamp(),
  validTo: timestamp().nullable(),
}) {}

const extraction = fullLoad(Item)
const toVersion = ({ id, value, version }: Item) => ({ id, value, version })
const options = { by: 'id', validFrom: 'validFrom', validTo: 'validTo' } as const
const versions = pipeline('items', { extract: extraction, transform: toVersion, load: history(Version, options) })
const inParts = pipeline('items', {
  extract: extraction,
  transform: toVersion,
  load: history(Version, { ...options, by: ['id', 'value'] }),
})
const byValue = pipeline('items', {
  extract: extraction,
  transform: toVersion,
  load: history(Version, { ...options, by: 'value' }),
})
const guarded = pipeline('items', {
  extract: extraction,
  transform: toVersion,
  load: history(Version, { ...options, version: 'version', compare: ['value', 'version'] }),
})

const MOMENT = { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'text' }
const TEXT = { postgres: 'text', mysql: 'text', sqlite: 'text' }
const FILLED = { postgres: 'char(20)', mysql: 'varchar(20)', sqlite: 'varchar(20)' }

interface Stored {
  readonly type: string
  readonly given: string
  /** Another text of what is stored. */
  readonly alike: string
  readonly other: string
}

/** Types that MySQL does not have. */
const OF_MARIADB = [
  {
    type: 'uuid',
    given: 'A0EEBC999C0B4EF8BB6D6BB9BD380A11',
    alike: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    other: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12',
  },
  { type: 'inet6', given: '2001:0db8::0001', alike: '2001:db8::1', other: '2001:db8::2' },
]

/** Columns that write a value in their own way. */
const STORED: Readonly<Record<Dialect, readonly Stored[]>> = {
  postgres: [
    { type: 'char(10)', given: 'ab', alike: 'ab  ', other: 'abc' },
    { type: 'numeric(10,2)', given: '1.5', alike: '01.50', other: '1.51' },
    { type: 'numeric', given: '1e3', alike: '1000', other: '1000.1' },
    { type: 'real', given: '0.10', alike: '1e-1', other: '0.2' },
    { type: 'double precision', given: '1e2', alike: '100.0', other: '101' },
    { type: 'jsonb', given: '{"b": 1, "a":2}', alike: '{"a":2,"b":1}', other: '{"a":2,"b":2}' },
    {
      type: 'timestamp(0)',
      given: '2024-01-01T10:00:00',
      alike: '2024-01-01 10:00:00.0',
      other: '2024-01-01 10:00:01',
    },
    { type: 'timestamptz', given: '2024-01-01 10:00:00+02', alike: '2024-01-01 08:00:00Z', other: '2024-01-01 10:00Z' },
    { type: 'date', given: '20240101', alike: '2024-1-1', other: '2024-01-02' },
    { type: 'interval', given: '60 minutes', alike: '1 hour', other: '61 minutes' },
    { type: 'inet', given: '10.0.0.1/32', alike: '10.0.0.1', other: '10.0.0.2' },
    { type: 'integer[]', given: '{1, 2}', alike: '{01,2}', other: '{2,1}' },
    { type: 'boolean', given: 'yes', alike: 'on', other: 'no' },
    {
      type: 'uuid',
      given: 'A0EEBC999C0B4EF8BB6D6BB9BD380A11',
      alike: '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
      other: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12',
    },
  ],
  mysql: [
    { type: 'decimal(10,2)', given: '1.5', alike: '01.50', other: '1.51' },
    { type: 'int(5) zerofill', given: '42', alike: '042', other: '43' },
    { type: 'double', given: '1e2', alike: '100.0', other: '101' },
    { type: 'datetime', given: '2024-01-01T10:00:00', alike: '2024-01-01 10:00:00.0', other: '2024-01-01 10:00:01' },
    { type: 'date', given: '20240101', alike: '2024-1-1', other: '2024-01-02' },
    { type: 'time', given: '10:00:00', alike: '10:00:00.0', other: '10:00:01' },
    { type: 'year', given: '2024', alike: '02024', other: '2025' },
    { type: "set('a','b')", given: 'b,a', alike: 'a,b', other: 'a' },
    { type: "enum('a','b')", given: 'a', alike: 'a', other: 'b' },
    ...(isRealMysql ? [] : OF_MARIADB),
  ],
  sqlite: [
    { type: 'numeric', given: '1e3', alike: '1000.0', other: '1001' },
    { type: 'decimal(10,2)', given: '1.50', alike: '01.5', other: '1.51' },
    { type: 'real', given: '1', alike: '1e0', other: '2' },
    { type: 'integer', given: '007', alike: '+7', other: '8' },
  ],
}

/** What the target refuses, or would cut: the version of before stays as it is. */
const REFUSED: Readonly<Record<Dialect, readonly { type: string; given: string; refused: string }[]>> = {
  postgres: [
    { type: 'numeric(10,2)', given: '1.5', refused: '1.501' },
    { type: 'numeric(10,2)', given: '1.5', refused: '1e12' },
    { type: 'varchar(3)', given: 'abc', refused: 'abc ' },
    { type: 'timestamp(0)', given: '2024-01-01 10:00:00', refused: '2024-01-01 10:00:00.4' },
    { type: 'integer', given: '1', refused: 'one' },
  ],
  mysql: [
    { type: 'decimal(10,2)', given: '1.5', refused: '1.501' },
    { type: 'varchar(3)', given: 'abc', refused: 'abc ' },
    { type: 'tinyint', given: '127', refused: '1000' },
    { type: 'datetime', given: '2024-01-01 10:00:00', refused: '2024-01-01 10:00:00.4' },
    { type: 'int', given: '1', refused: 'one' },
  ],
  sqlite: [
    { type: 'integer', given: '1', refused: '1.5' },
    { type: 'numeric', given: '0.1', refused: '0.100000000000000000001' },
  ],
}

const TRIGGER = {
  postgres: (when: string) => [
    "create function rewritten() returns trigger language plpgsql as 'begin new.value = lower(new.value); return new; end'",
    `create trigger rewrites before ${when} on item_history for each row execute function rewritten()`,
  ],
  mysql: (when: string) => [
    `create trigger rewrites before ${when} on item_history for each row set new.value = lower(new.value)`,
  ],
  sqlite: (when: string) => [
    `create trigger rewrites after ${when} on item_history begin update item_history set value = lower(value) where rowid = new.rowid; end`,
  ],
}

onEachEngine('a history whose target stores values in its own way', [source, target], (engine) => {
  const run = async (of: typeof versions, id: string, day: number) => {
    const { services } = engine.harness
    const reference = { ...runReference(id), started_at: `2024-06-0${day}T02:00:00.000Z` }
    const work = { run: reference, pipeline: of.name }
    const planned = await plan(of, { ...work, mode: null }, services)
    const given = { ...work, plan: planned.plan, epoch: planned.epoch, planned_by: planned.planned_by }
    for (const { partition } of planned.partitions) {
      await load(of, await transform(of, await extract(of, { ...given, partition }, services), services), services)
    }
    const { inserted, unchanged, quarantined: set } = await commit(of, given, services)
    return { inserted, unchanged, set }
  }
  const define = (type: string, version = FILLED[engine.dialect]) => {
    const moment = MOMENT[engine.dialect]
    return target.query(
      `create table item_history (id bigint, value ${type}, version ${version}, valid_from ${moment}, valid_to ${moment} null, primary key (id, valid_from))`,
    )
  }
  const give = (...values: string[]) =>
    Item.upsertAll(
      values.map((value, index) => ({ id: BigInt(index + 1), value })),
      { by: 'id' },
    )
  const current = async () => (await Version.where({ validTo: null }).order('id').toArray()).map(({ value }) => value)

  beforeEach(() => Item.createTable())

  for (const { type, given, alike, other } of STORED[engine.dialect]) {
    test(`begins no version where nothing has changed: ${type}`, async () => {
      await define(type)
      await give(given, given, given)
      await run(versions, 'run-1', 1)

      const again = await run(versions, 'run-2', 2)
      await give(given, alike, other)
      const changed = await run(versions, 'run-3', 3)

      assert.deepEqual(again, { inserted: 0, unchanged: 3, set: 0 })
      assert.deepEqual(changed, { inserted: 1, unchanged: 2, set: 0 })
      assert.equal(await Version.count(), 4)
    })
  }

  for (const { type, given, refused } of REFUSED[engine.dialect]) {
    test(`takes no value for equal that the target would cut or refuse: ${refused} for ${type}`, async () => {
      await define(type)
      await give(given, given)
      await run(versions, 'run-1', 1)
      await give(refused, given)

      const second = await run(versions, 'run-2', 2)

      assert.deepEqual(second, { inserted: 0, unchanged: 1, set: 1 })
      assert.equal((await quarantined(engine.harness, 'run-2', 'items'))[0]?.row.id, '1')
      assert.equal(await Version.count(), 2)
    })
  }

  test('begins no version where a trigger has rewritten the value', async () => {
    await define(TEXT[engine.dialect])
    for (const statement of TRIGGER[engine.dialect]('insert')) await target.query(statement)
    await give('ANN', 'BOB', 'EVE')
    await run(versions, 'run-1', 1)

    const again = await run(versions, 'run-2', 2)
    await give('ANN', 'Bob', 'Eva')
    const changed = await run(versions, 'run-3', 3)

    assert.deepEqual(again, { inserted: 0, unchanged: 3, set: 0 })
    assert.deepEqual(changed, { inserted: 1, unchanged: 2, set: 0 })
    assert.deepEqual(await current(), ['ann', 'bob', 'eva'])
    assert.equal(await Version.count(), 4)
  })

  test('does not take a version that the target fills up with spaces for a newer one', async () => {
    await define(TEXT[engine.dialect])
    await Item.insertAll([{ id: 1n, value: 'one', version: 'v1' }])
    await run(guarded, 'run-1', 1)
    await Item.upsertAll([{ id: 1n, value: 'two', version: 'v1' }], { by: 'id' })

    const second = await run(guarded, 'run-2', 2)

    assert.deepEqual(second, { inserted: 1, unchanged: 0, set: 0 })
    assert.deepEqual(await current(), ['two'])
  })

  for (const count of [1, 4]) {
    test(`a key whose characters its column lacks keeps none of ${count} others out`, async (context) => {
      if (engine.dialect !== 'mysql') return context.skip('MySQL alone has columns of other character sets')
      await target.query(
        `create table item_history (id bigint, value varchar(20) character set latin1, version varchar(20), valid_from datetime(6), valid_to datetime(6), primary key (value, valid_from))`,
      )
      const values = ['\u017f', ...['a', 'b', 'c', 'd'].slice(0, count)]
      await Item.insertAll(values.map((value, id) => ({ id: BigInt(id), value })))

      const first = await run(byValue, 'run-1', 1)
      const again = await run(byValue, 'run-2', 2)

      assert.deepEqual(first, { inserted: count, unchanged: 0, set: 1 })
      assert.deepEqual(again, { inserted: 0, unchanged: count, set: 1 })
    })
  }

  for (const [which, of, key] of [
    ['a key', versions, 'id'],
    ['a part of a key, beside one that it fills up,', inParts, 'id, value'],
  ] as const) {
    test(`${which} that its column cannot hold keeps no other row out, in the first run and in the next`, async () => {
      const moment = MOMENT[engine.dialect]
      await target.query(
        `create table item_history (id smallint, value ${FILLED[engine.dialect]}, version varchar(20), valid_from ${moment}, valid_to ${moment} null, primary key (${key}, valid_from))`,
      )
      await Item.insertAll([1n, 2n, 99_999n, 3n].map((id) => ({ id, value: 'one' })))
      const refused = engine.dialect === 'sqlite' ? 0 : 1

      const first = await run(of, 'run-1', 1)
      const again = await run(of, 'run-2', 2)

      assert.deepEqual(first, { inserted: 4 - refused, unchanged: 0, set: refused })
      assert.deepEqual(again, { inserted: 0, unchanged: 4 - refused, set: refused })
    })
  }
})
