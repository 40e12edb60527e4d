import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import type { CommitOutput } from 'dray/internal/messages/stages.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runReference } from './harness.ts'

const source = database('own-names-source')
const target = database('own-names-target')

/** What Dray calls columns, aliases and parts of its own statements and temporary tables. */
const OWN = (
  'ordinal place rank row rows first keys key n i u m t s h r few flag held held_rows input next one_held ordered read room ' +
  'spelling staged straight target together write child'
).split(' ')

/** A field for each of these names; the first one is the key. */
const own = Object.fromEntries(OWN.map((name, place) => [`p${place}`, varchar(20).nullable().column(`dray_${name}`)]))
const { p0: _, ...others } = own
const KEY = varchar(20).column('dray_ordinal')
const fields = { key: KEY.primaryKey(), revision: bigint(), ...others }

class Item extends source.table('item', { ...fields, id: bigint().primaryKey(), key: KEY }) {}
class Product extends target.table('product', fields) {}
class Version extends target.table('version', {
  ...fields,
  validFrom: timestamp().primaryKey().column('dray_row_number'),
  validTo: timestamp().nullable().column('dray_u_to'),
}) {}

// biome-ignore lint/suspicious/noExplicitAny: pipelines of several models.
type AnyPipeline = Pipeline<any, any>

const steps = { extract: fullLoad(Item, { partitionRows: 3 }), transform: ({ id: __, ...item }: Item) => item }
const by = { by: 'key', version: 'revision' } as const
const ways: Readonly<Record<string, AnyPipeline>> = {
  upsert: pipeline('items', { ...steps, load: upsert(Product, by), deletes: { hard: true, key: 'key' } } as never),
  append: pipeline('items', { ...steps, load: append(Product) } as never),
  replace: pipeline('items', { ...steps, load: replace(Product, by) } as never),
  history: pipeline('items', {
    ...steps,
    load: history(Version, { ...by, validFrom: 'validFrom', validTo: 'validTo' }),
    deletes: { close: true, key: 'key' },
  } as never),
}

const BAD = 'refused'
const item = (id: number, revision: number, key = `k${id}`, value = `v${id}`) => ({
  id: BigInt(id),
  revision: BigInt(revision),
  key,
  ...Object.fromEntries(Object.keys(others).map((name) => [name, value])),
})

onEachEngine('a table whose columns are called as Dray calls its own', [source, target], (engine) => {
  beforeEach(async () => {
    for (const model of [Item, Product, Version] as unknown as ModelClass[]) await model.createTable()
    await target.query('create unique index product_value on product (dray_place)')
    for (const table of ['product', 'version']) {
      for (const statement of refusing(table)) await target.query(statement)
    }
  })

  function refusing(table: string): readonly string[] {
    return {
      postgres: [
        `create or replace function refuse() returns trigger language plpgsql as $$begin if new.dray_rank = '${BAD}' then raise exception 'no'; end if; return new; end$$`,
        `create trigger refuse before insert or update on ${table} for each row execute function refuse()`,
      ],
      mysql: ['insert', 'update'].map(
        (event) =>
          `create trigger refuse_${table}_${event} before ${event} on ${table} for each row begin if new.dray_rank = '${BAD}' then signal sqlstate '45000' set message_text = 'no'; end if; end`,
      ),
      sqlite: ['insert', 'update'].map(
        (event) =>
          `create trigger refuse_${table}_${event} before ${event} on ${table} when new.dray_rank = '${BAD}' begin select raise(abort, 'no'); end`,
      ),
    }[engine.dialect]
  }

  async function run(of: AnyPipeline, day: number): Promise<CommitOutput> {
    const { services } = engine.harness
    const reference = { ...runReference(`run-${day}`), started_at: `2024-06-0${day}T02:00:00.000Z` }
    const { plan: staged, epoch, partitions } = await plan(of, { run: reference, pipeline: of.name }, services)
    const given = { run: reference, pipeline: of.name, plan: staged, epoch }
    for (const { partition } of partitions) {
      await load(of, await transform(of, await extract(of, { ...given, partition }, services), services), services)
    }
    return commit(of, given, services)
  }

  const current = async (way: string) => {
    const [table, where] = way === 'history' ? ['version', 'where dray_u_to is null'] : ['product', '']
    const { rows } = await target.query(`select dray_ordinal, dray_rank from ${table} ${where} order by dray_ordinal`)
    return rows.map((row) => row.join(' '))
  }

  for (const [way, of] of Object.entries(ways)) {
    test(`is loaded by ${way}, beside rows that are refused, come twice, swap values or go`, async () => {
      await Item.insertAll([...[1, 2, 3, 4].map((id) => item(id, 1)), item(5, 1, 'k5', BAD), item(6, 2, 'k1', 'other')])
      const first = await run(of, 1)
      const refused = await quarantined(engine.harness, 'run-1', 'items')

      assert.ok(refused.some(({ row }) => row.id === '5'))
      assert.equal(first.read, 6)
      if (way === 'append') return assert.deepEqual(await current(way), ['k1 v1', 'k2 v2', 'k3 v3', 'k4 v4'])
      assert.deepEqual([refused.length, await current(way)], [1, ['k1 other', 'k2 v2', 'k3 v3', 'k4 v4']])

      await Item.where({ id: 4n }).deleteAll()
      await Item.upsertAll([item(2, 2, 'k2', 'v3'), item(3, 2, 'k3', 'v2')], { by: 'id' })
      await run(of, 2)

      assert.deepEqual(await current(way), ['k1 other', 'k2 v3', 'k3 v2'])
    })
  }
})

test("a target that is called as one of Dray's own tables or columns is refused when it is declared", () => {
  class Held extends target.table('Dray_held', { id: bigint().primaryKey() }) {}
  class Next extends target.table('shop.item__dray_next', { id: bigint().primaryKey() }) {}
  class Place extends target.table('place', { id: bigint().primaryKey().column('DRAY$place') }) {}

  for (const [model, what] of [
    [Held, 'the table Dray_held'],
    [Next, 'the table item__dray_next'],
    [Place, 'the column DRAY\\$place of place'],
  ] as const) {
    assert.throws(
      () =>
        pipeline('items', {
          extract: steps.extract,
          transform: ({ id }) => ({ id }),
          load: upsert(model, { by: 'id' }),
        }),
      { name: 'Configuration', message: new RegExp(`${what} is called as Dray calls its own.*another name`) },
    )
  }
})
