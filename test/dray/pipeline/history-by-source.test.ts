import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, integer, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { CommitOutput } from 'dray/internal/messages/stages.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import fc from 'fast-check'
import { onEachEngine } from './engines.ts'
import { planRun, prepare, runReference } from './harness.ts'

const crm = database('timeline-source')
const warehouse = database('timeline-target')

class PriceChange extends crm.table('price_change', {
  id: bigint().primaryKey(),
  product: varchar(20),
  changedAt: timestamp(),
  revision: integer(),
  label: text().nullable(),
}) {}

class PriceVersion extends warehouse.table('price_history', {
  versionId: bigint().generated().primaryKey(),
  product: varchar(20),
  validFrom: timestamp(),
  validTo: timestamp(),
  isCurrent: boolean(),
  revision: integer(),
  label: varchar(10).nullable(),
  loadedAt: timestamp().touch(),
}) {}

const prices = pipeline('prices', {
  extract: fullLoad(PriceChange, { partitionRows: 3 }),
  transform: ({ product, changedAt, revision, label }) => ({ product, validFrom: changedAt, revision, label }),
  load: history(PriceVersion, {
    by: 'product',
    validFrom: 'validFrom',
    validTo: 'validTo',
    current: 'isCurrent',
    time: 'source',
    open: '9999-12-31',
    version: 'revision',
  }),
})

let isRepaired = false
/** Reads what has changed, and rejects a label until it is repaired. */
const repairedPrices = pipeline('prices', {
  extract: changedSince(PriceChange, { cursor: 'changedAt', lag: '0s' }),
  transform: ({ product, changedAt, revision, label }, { reject }) =>
    label === 'bad' && !isRepaired ? reject('label', 'bad') : { product, validFrom: changedAt, revision, label },
  load: prices.load as never,
})

/** Of each person one row, as it is now. */
class Person extends crm.table('Person', {
  Id: bigint().primaryKey(),
  Region: varchar(5).primaryKey(),
  changedAt: timestamp(),
  name: varchar(20).nullable(),
}) {}
class PersonVersion extends warehouse.table('Person_History', {
  Id: bigint().primaryKey(),
  Region: varchar(5).primaryKey(),
  Since: timestamp().primaryKey(),
  Until: timestamp().nullable(),
  name: varchar(10).nullable(),
}) {}
const people = pipeline('people', {
  extract: fullLoad(Person, { partitionRows: 2 }),
  transform: ({ Id, Region, changedAt, name }: Person) => ({ Id, Region, Since: changedAt, name }),
  load: history(PersonVersion, { by: ['Id', 'Region'], validFrom: 'Since', validTo: 'Until', time: 'source' }),
  deletes: { close: true, key: ['Id', 'Region'], most: 1 },
})

interface Change {
  readonly product: string
  readonly day: number
  readonly revision: number
}

const dayOf = (day: number) => timestampOf(`2024-01-${String(day).padStart(2, '0')} 00:00:00`)
const labelOf = ({ product, day, revision }: Change) => (revision === 2 ? null : `${product}${day}.${revision}`)

/** What any order of arrival comes to: of each start the greatest revision, each until the next start. */
function oracle(arrived: readonly Change[]): string[] {
  const lines: string[] = []
  for (const product of [...new Set(arrived.map((one) => one.product))].sort()) {
    const own = arrived.filter((one) => one.product === product)
    const days = [...new Set(own.map(({ day }) => day))].sort((one, other) => one - other)
    for (const [at, day] of days.entries()) {
      const revision = Math.max(...own.filter((one) => one.day === day).map((one) => one.revision))
      const next = days[at + 1]
      const end = next === undefined ? '9999-12-31 now' : dayOf(next).slice(0, 10)
      lines.push(`${product} ${labelOf({ product, day, revision })} ${dayOf(day).slice(0, 10)}..${end}`)
    }
  }
  return lines
}

async function kept(): Promise<string[]> {
  const rows = await PriceVersion.all().order('product', 'validFrom').toArray()
  return rows.map(
    ({ product, label, validFrom, validTo, isCurrent }) =>
      `${product} ${label} ${validFrom.slice(0, 10)}..${validTo.slice(0, 10)}${isCurrent ? ' now' : ''}`,
  )
}

async function keptOfPeople(): Promise<string[]> {
  const rows = await PersonVersion.all().order('Id', 'Since').toArray()
  return rows.map(
    ({ Id, Region, name, Since, Until }) =>
      `${Id}${Region} ${name} ${Since.slice(5, 10)}..${Until?.slice(5, 10) ?? ''}`,
  )
}

const anyPipeline = (of: unknown) => of as Pipeline

onEachEngine('a history by the time of the source', [crm, warehouse], (engine) => {
  let runs = 0

  /** A run that starts on a day of its own. */
  async function run(of: unknown, day = 28, mode: RunMode | null = null): Promise<CommitOutput> {
    const { services } = engine.harness
    const one = anyPipeline(of)
    runs += 1
    const reference = {
      ...runReference(`run-${runs}`),
      started_at: `2024-01-${String(day).padStart(2, '0')}T00:00:00Z`,
    }
    const planned = await plan(one, { run: reference, pipeline: one.name, mode }, services)
    const { plan: staged, epoch } = planned
    for (const { partition } of planned.partitions) {
      const input = { run: reference, pipeline: one.name, plan: staged, epoch, partition }
      await load(one, await transform(one, await extract(one, input, services), services), services)
    }
    return commit(one, { run: reference, pipeline: one.name, plan: staged, epoch }, services)
  }

  /** The source has just these changes, and a run loads them. */
  async function arrive(changes: readonly Change[]): Promise<CommitOutput> {
    await crm.query('delete from price_change')
    await PriceChange.insertAll(
      changes.map((one, place) => ({
        id: BigInt(place),
        product: one.product,
        changedAt: dayOf(one.day),
        revision: one.revision,
        label: labelOf(one),
      })),
    )
    return run(prices)
  }

  const change = (product: string, day: number, revision = 1): Change => ({ product, day, revision })
  const person = (Id: bigint, day: number, name: string | null = 'Ann') =>
    Person.upsertAll([{ Id, Region: 'Eu', changedAt: dayOf(day), name }], { by: ['Id', 'Region'] })

  beforeEach(async () => {
    for (const model of [PriceChange, PriceVersion, Person, PersonVersion] as unknown as ModelClass[]) {
      await model.createTable()
    }
    await warehouse.query('create unique index price_version on price_history (product, valid_from)')
  })

  test('a change that comes late stands in its place, and those around it end and begin where it does', async () => {
    await arrive([change('a', 1), change('a', 9), change('b', 3)])

    const late = await arrive([change('a', 5), change('b', 1)])

    assert.deepEqual([late.inserted, late.updated, late.unchanged], [2, 0, 0])
    assert.deepEqual(
      await kept(),
      oracle([change('a', 1), change('a', 5), change('a', 9), change('b', 1), change('b', 3)]),
    )
  })

  test('any order of arrival, in runs, partitions and repetitions, comes to the same table', async () => {
    const some = fc.record({
      product: fc.constantFrom('a', 'b', 'c'),
      day: fc.integer({ min: 1, max: 9 }),
      revision: fc.integer({ min: 1, max: 3 }),
    })
    const arrivals = fc.array(fc.array(some, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 5 })
    const numRuns = Number(process.env.FUZZ_RUNS ?? (engine.dialect === 'sqlite' ? 20 : 4))
    await fc.assert(
      fc.asyncProperty(arrivals, async (batches) => {
        await warehouse.query('delete from price_history')
        for (const batch of batches) {
          const { read, inserted, updated, unchanged, duplicate } = await arrive(batch)
          assert.equal(inserted + updated + unchanged + duplicate, read)
        }
        assert.deepEqual(await kept(), oracle(batches.flat()))
      }),
      { numRuns, endOnFailure: engine.dialect !== 'sqlite' },
    )
  })

  test('rows that come again write nothing', async () => {
    const changes = [change('a', 1), change('a', 5), change('b', 2, 2)]
    await arrive(changes)
    const before = await warehouse.query('select * from price_history order by product, valid_from')

    const again = await arrive(changes)

    assert.deepEqual([again.inserted, again.updated, again.unchanged], [0, 0, 3])
    const after = await warehouse.query('select * from price_history order by product, valid_from')
    assert.deepEqual(after.rows, before.rows)
  })

  test('a version keeps its number when what is around it, or it itself, is corrected', async () => {
    await arrive([change('a', 1), change('a', 9)])
    const before = await PriceVersion.findAll({ order: 'validFrom' })

    const corrected = await arrive([change('a', 1, 3), change('a', 5)])

    assert.deepEqual([corrected.inserted, corrected.updated], [1, 1])
    const after = await PriceVersion.findAll({ order: 'validFrom' })
    assert.deepEqual([after[0]?.versionId, after[2]?.versionId], [before[0]?.versionId, before[1]?.versionId])
    assert.deepEqual(await kept(), oracle([change('a', 1, 3), change('a', 5), change('a', 9)]))
  })

  test('without a version the row that is read last says what its start holds', async () => {
    await person(1n, 3, 'Ann')
    await run(people)
    await person(1n, 3, 'Anne')

    assert.equal((await run(people)).updated, 1)
    assert.deepEqual(await keptOfPeople(), ['1Eu Anne 01-03..'])
  })

  test('two partitions that are loaded at once mend the same versions one after the other', async () => {
    const { services } = engine.harness
    await arrive([change('a', 1), change('a', 9)])
    await crm.query('delete from price_change')
    const days = [2, 3, 4, 5, 6, 7]
    await PriceChange.insertAll(
      days.map((day) => ({
        id: BigInt(day),
        product: 'a',
        changedAt: dayOf(day),
        revision: 1,
        label: labelOf(change('a', day)),
      })),
    )
    const planned = await planRun(anyPipeline(prices), 'at-once', services)
    const inputs = await Promise.all(
      planned.partitions.map(({ partition }) => prepare(anyPipeline(prices), 'at-once', planned, partition, services)),
    )

    await Promise.all(inputs.map((input) => load(anyPipeline(prices), input, services)))

    assert.equal(inputs.length, 2)
    assert.deepEqual(await kept(), oracle([1, ...days, 9].map((day) => change('a', day))))
  })

  test('a version that was quarantined stays so until it lands itself, and a replay puts it in its place', async () => {
    const { services } = engine.harness
    isRepaired = false
    const changes = (day: number, label: string) =>
      PriceChange.upsertAll([{ id: 1n, product: 'a', changedAt: dayOf(day), revision: 1, label }], { by: 'id' })
    for (const [day, label] of [
      [1, 'one'],
      [3, 'bad'],
      [5, 'two'],
    ] as const) {
      await changes(day, label)
      await run(repairedPrices)
      await setLastRun(anyPipeline(repairedPrices), dayOf(day + 1), services)
    }
    assert.equal(await PriceVersion.count(), 2)
    isRepaired = true

    await run(repairedPrices, 28, { replay: {} })

    assert.deepEqual(await kept(), [
      'a one 2024-01-01..2024-01-03',
      'a bad 2024-01-03..2024-01-05',
      'a two 2024-01-05..9999-12-31 now',
    ])
  })

  test('a key that is gone ends when the run starts that misses it, and goes on when it is back', async () => {
    await person(1n, 3)
    await person(2n, 4, null)
    await run(people, 10)
    await Person.deleteAll({ Id: 1n })

    await run(people, 12)

    assert.deepEqual(await keptOfPeople(), ['1Eu Ann 01-03..01-12', '2Eu null 01-04..'])
    await person(1n, 20, 'Bob')
    await run(people, 21)
    assert.deepEqual((await keptOfPeople()).slice(0, 2), ['1Eu Ann 01-03..01-12', '1Eu Bob 01-20..'])
  })

  test('a key that is back with the start that it had goes on as before', async () => {
    await person(1n, 3)
    await person(2n, 4)
    await run(people, 10)
    await Person.deleteAll({ Id: 1n })
    await run(people, 12)
    await person(1n, 3)

    await run(people, 14)

    assert.deepEqual(await keptOfPeople(), ['1Eu Ann 01-03..', '2Eu Ann 01-04..'])
  })

  test('a late version of a key that is gone neither opens it again nor shortens its end', async () => {
    await person(1n, 3)
    await person(2n, 4)
    await run(people, 10)
    await Person.deleteAll({ Id: 1n })
    await run(people, 12)
    await person(1n, 6, 'late')

    await run(people, 13, { keys: [['1', 'Eu']] })

    assert.deepEqual((await keptOfPeople()).slice(0, 2), ['1Eu Ann 01-03..01-06', '1Eu late 01-06..01-12'])
  })

  test('a key that is gone before its version begins, by a clock that is ahead, has a version without length', async () => {
    await person(1n, 20)
    await person(2n, 4)
    await run(people, 10)
    await Person.deleteAll({ Id: 1n })
    await run(people, 12)
    await run(people, 13)
    assert.deepEqual(await keptOfPeople(), ['1Eu Ann 01-20..01-20', '2Eu Ann 01-04..'])
    await person(1n, 25)

    await run(people, 14)

    assert.deepEqual((await keptOfPeople()).slice(0, 2), ['1Eu Ann 01-20..01-20', '1Eu Ann 01-25..'])
  })

  for (const type of ['seconds', 'days'] as const) {
    test(`a start that columns of whole ${type} do not hold is quarantined, and others find their places`, async (context) => {
      const types = {
        postgres: { seconds: 'timestamp(0)', days: 'date' },
        mysql: { seconds: 'datetime', days: 'date' },
        sqlite: null,
      }[engine.dialect]
      if (types === null) return context.skip('SQLite keeps what it is given')
      for (const column of ['valid_from', 'valid_to']) {
        await warehouse.query(
          engine.dialect === 'mysql'
            ? `alter table price_history modify ${column} ${types[type]} not null`
            : `alter table price_history alter column ${column} type ${types[type]}`,
        )
      }
      await arrive([change('a', 1), change('a', 9), ...[1, 2, 3, 4, 5, 6, 7, 8].map((day) => change('b', day))])
      await PriceChange.insertAll([
        { id: 99n, product: 'a', changedAt: timestampOf('2024-01-03 10:00:00.6'), revision: 1, label: 'odd' },
      ])

      const output = await run(prices)

      assert.deepEqual([output.unchanged, output.quarantined], [10, 1])
      const late = await arrive([change('a', 5)])
      assert.equal(late.inserted, 1)
      assert.deepEqual((await kept()).slice(0, 3), oracle([change('a', 1), change('a', 5), change('a', 9)]))
    })
  }

  test('a table that allows one current version of a thing takes versions in any order', async () => {
    const statement = {
      postgres: 'create unique index one_current on price_history (product) where is_current',
      sqlite: 'create unique index one_current on price_history (product) where is_current',
      mysql:
        'alter table price_history add column only_one varchar(20) as (case when is_current then product end), add unique index one_current (only_one)',
    }[engine.dialect]
    await warehouse.query(statement)
    await arrive([change('a', 5), change('b', 2), change('b', 4)])

    const second = await arrive([change('a', 3), change('a', 9), change('a', 7), change('b', 1)])

    assert.deepEqual([second.inserted, second.quarantined], [4, 0])
    const all = [1, 2, 4].map((day) => change('b', day))
    assert.deepEqual(await kept(), oracle([...[3, 5, 7, 9].map((day) => change('a', day)), ...all]))
  })

  test('a row that the target refuses leaves the versions around it as they are', async () => {
    await person(1n, 3)
    await run(people, 10)
    await Person.upsertAll([{ Id: 1n, Region: 'Eu', changedAt: dayOf(6), name: 'far too long a name' }], {
      by: ['Id', 'Region'],
    })
    await Person.insertAll(
      Array.from({ length: 3 }, (_, at) => ({ Id: BigInt(at + 5), Region: 'Eu', changedAt: dayOf(1), name: 'x' })),
    )

    const output = await run(people, 11)

    assert.deepEqual([output.inserted, output.quarantined], [3, 1])
    assert.equal((await keptOfPeople())[0], '1Eu Ann 01-03..')
  })

  test('a row is quarantined alone whose neighbours a trigger keeps as they are', async () => {
    await arrive([change('a', 1), change('b', 1)])
    const statements = {
      postgres: [
        "create function kept() returns trigger language plpgsql as $$begin if old.product = 'a' then raise exception 'a is settled'; end if; return new; end$$",
        'create trigger kept before update on price_history for each row execute function kept()',
      ],
      mysql: [
        "create trigger kept before update on price_history for each row begin if old.product = 'a' then signal sqlstate '45000' set message_text = 'a is settled'; end if; end",
      ],
      sqlite: [
        "create trigger kept before update on price_history when old.product = 'a' begin select raise(abort, 'a is settled'); end",
      ],
    }[engine.dialect]
    for (const statement of statements) await warehouse.query(statement)

    const output = await arrive([change('a', 5), change('b', 5)])

    assert.deepEqual([output.inserted, output.quarantined], [1, 1])
    assert.deepEqual(await kept(), oracle([change('a', 1), change('b', 1), change('b', 5)]))
  })

  test('reconcile finds each version of the source by its start, and says which is missing or wrong', async () => {
    const { services } = engine.harness
    await arrive([change('a', 1), change('a', 5), change('b', 2), change('b', 2, 3)])
    assert.deepEqual((await reconcile(anyPipeline(prices), services, { deep: true })).differences, [])
    await warehouse.query("update price_history set label = 'other' where product = 'a' and revision = 1")
    await warehouse.query("delete from price_history where product = 'b'")

    const { counts } = await reconcile(anyPipeline(prices), services, { deep: true })

    assert.deepEqual(counts, { missing: 1, extra: 0, different: 2 })
  })

  test('reconcile takes a current version for extra whose key the source does not have', async () => {
    const { services } = engine.harness
    await person(1n, 3)
    await run(people)
    await person(1n, 5)
    await person(2n, 5)
    await run(people)
    await Person.deleteAll({ Id: 2n })

    const { counts, differences } = await reconcile(anyPipeline(people), services, { deep: true })

    assert.deepEqual(counts, { missing: 0, extra: 1, different: 0 })
    assert.equal(differences[0]?.key._id, '2')
  })

  test('a preview shows the start that the transform gives, and the end that is open', async () => {
    await PriceChange.insertAll([{ id: 1n, product: 'a', changedAt: dayOf(4), revision: 1, label: 'x' }])

    const shown = JSON.stringify(
      await preview(anyPipeline(prices), { limit: 5, lastRun: null }, engine.harness.services),
    )

    assert.match(shown, /2024-01-04 00:00:00/)
    assert.match(shown, /9999-12-31 00:00:00/)
  })

  test('a second delivery of a partition changes nothing', async () => {
    const { services } = engine.harness
    await arrive([change('a', 1), change('a', 9)])
    await crm.query('delete from price_change')
    await PriceChange.insertAll([
      { id: 1n, product: 'a', changedAt: dayOf(5), revision: 1, label: labelOf(change('a', 5)) },
    ])
    const planned = await planRun(anyPipeline(prices), 'twice', services)
    const input = await prepare(anyPipeline(prices), 'twice', planned, 0, services)
    await load(anyPipeline(prices), input, services)

    await load(anyPipeline(prices), input, services)

    assert.deepEqual(await kept(), oracle([change('a', 1), change('a', 5), change('a', 9)]))
  })
})
