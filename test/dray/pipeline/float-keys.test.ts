import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { double, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runReference } from './harness.ts'

const source = database('float-keys-source')
const target = database('float-keys-target')

class Reading extends source.table('reading', { at: double().primaryKey(), label: text().nullable() }) {}
class Kept extends target.table('kept', { at: double().primaryKey(), label: text().nullable() }) {}
class KeptVersion extends target.table('kept_version', {
  at: double(),
  label: text().nullable(),
  validFrom: timestamp(),
  validTo: timestamp().nullable(),
}) {}

const shape = { extract: fullLoad(Reading), transform: ({ at, label }: Reading) => ({ at, label }) }
const readings = pipeline('readings', {
  ...shape,
  load: upsert(Kept, { by: 'at' }),
  deletes: { hard: true, most: 1 },
}) as unknown as Pipeline
const versions = pipeline('versions', {
  ...shape,
  load: history(KeptVersion, { by: 'at', validFrom: 'validFrom', validTo: 'validTo' }),
  deletes: { close: true, most: 1 },
}) as unknown as Pipeline

const SINGLE = { postgres: 'real', mysql: 'float', sqlite: 'real' }
const DOUBLE = { postgres: 'double precision', mysql: 'double', sqlite: 'real' }
const MOMENT = { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'text' }
/** Values that a float of single precision holds, as far as it says. */
const VALUES = [0.1, 0.7, 1.5, 16777216, 3.4e38]

onEachEngine('a key of floating point', [source, target], (engine) => {
  async function runOn(of: Pipeline, day: number) {
    const { services } = engine.harness
    const run = { ...runReference(`run-${day}`), started_at: `2024-06-0${day}T02:00:00.000Z` }
    const work = { run, pipeline: of.name }
    const planned = await plan(of, { ...work, mode: null }, services)
    const given = { ...work, plan: planned.plan, epoch: planned.epoch, planned_by: planned.planned_by }
    for (const { partition } of planned.partitions) {
      await load(of, await transform(of, await extract(of, { ...given, partition }, services), services), services)
    }
    await commit(of, given, services)
    const [step] = (await services.state.run(run.id))?.steps ?? []
    return { inserted: step?.inserted, updated: step?.updated, unchanged: step?.unchanged, deleted: step?.deleted }
  }

  for (const [from, into] of [
    ['single', 'single'],
    ['single', 'double'],
    ['double', 'single'],
    ['double', 'double'],
  ] as const) {
    const types = { single: SINGLE, double: DOUBLE }

    async function fill(): Promise<void> {
      const moment = MOMENT[engine.dialect]
      const key = types[into][engine.dialect]
      await source.query(`create table reading (at ${types[from][engine.dialect]} primary key, label text)`)
      await target.query(`create table kept (at ${key} primary key, label text)`)
      await target.query(
        `create table kept_version (at ${key} not null, label text, valid_from ${moment} not null, valid_to ${moment}, primary key (at, valid_from))`,
      )
      await source.query(`insert into reading values ${VALUES.map((at) => `(${at}, 'a')`).join(', ')}`)
    }

    test(`is found again: of ${from} precision, in a column of ${into} precision`, async () => {
      await fill()

      const first = await runOn(readings, 1)
      const second = await runOn(readings, 2)
      await source.query('delete from reading where at > 0.6 and at < 0.8')
      const third = await runOn(readings, 3)

      assert.deepEqual(await quarantined(engine.harness, 'run-1', 'readings'), [])
      assert.deepEqual(first, { inserted: 5, updated: 0, unchanged: 0, deleted: 0 })
      assert.deepEqual(second, { inserted: 0, updated: 0, unchanged: 5, deleted: 0 })
      assert.deepEqual(third, { inserted: 0, updated: 0, unchanged: 4, deleted: 1 })
      assert.equal(await Kept.count(), 4)
    })

    test(`has one current version: of ${from} precision, in a column of ${into} precision`, async () => {
      await fill()

      const first = await runOn(versions, 1)
      const second = await runOn(versions, 2)
      await source.query("update reading set label = 'b' where at < 0.5")
      await source.query('delete from reading where at > 0.6 and at < 0.8')
      const third = await runOn(versions, 3)

      assert.deepEqual(first, { inserted: 5, updated: 0, unchanged: 0, deleted: 0 })
      assert.deepEqual(second, { inserted: 0, updated: 0, unchanged: 5, deleted: 0 })
      assert.deepEqual(third, { inserted: 1, updated: 0, unchanged: 3, deleted: 1 })
      assert.equal(await KeptVersion.where({ validTo: null }).count(), 4)
    })
  }

  test('is found again: infinity, of which MySQL has none', async (t) => {
    if (engine.dialect === 'mysql') return t.skip('a double of MySQL is finite')
    const [key, moment] = [DOUBLE[engine.dialect], MOMENT[engine.dialect]]
    const infinity = engine.dialect === 'sqlite' ? '9e999' : "'Infinity'::float8"
    await source.query(`create table reading (at ${key} primary key, label text)`)
    await target.query(`create table kept (at ${key} primary key, label text)`)
    await target.query(
      `create table kept_version (at ${key} not null, label text, valid_from ${moment} not null, valid_to ${moment}, primary key (at, valid_from))`,
    )
    await source.query(`insert into reading values (${infinity}, 'a'), (-${infinity}, 'b'), (1.5, 'c')`)

    for (const each of [readings, versions]) {
      const first = await runOn(each, 1)
      const second = await runOn(each, 2)

      assert.deepEqual(first, { inserted: 3, updated: 0, unchanged: 0, deleted: 0 }, each.name)
      assert.deepEqual(second, { inserted: 0, updated: 0, unchanged: 3, deleted: 0 }, each.name)
    }
    assert.equal(await KeptVersion.where({ validTo: null }).count(), 3)
  })
})
