import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { onEachEngine } from './engines.ts'
import { runPipeline } from './harness.ts'

const source = database('moments-source')
const target = database('moments-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  changedAt: timestamp().nullable(),
}) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: varchar(50).nullable() }) {}

type Options = Omit<Parameters<typeof changedSince<typeof Item>>[1], 'cursor'>
const items = (options: Options = {}): Pipeline =>
  pipeline('items', {
    extract: changedSince(Item, { cursor: 'changedAt', ...options }),
    transform: ({ id }) => ({ id }),
    load: upsert(Product, { by: 'id' }),
  }) as unknown as Pipeline

test('a zone is named by an area and a place, since databases read abbreviations and offsets in different ways', () => {
  for (const zone of ['CET', '+02:00', 'Europe/Atlantis', 'EST5EDT', '']) {
    assert.throws(() => items({ zone }), { name: 'Configuration', message: /no name of a zone/ }, zone)
  }
  for (const zone of ['UTC', 'Etc/UTC', 'America/New_York']) assert.equal(items({ zone }).extract.cursor?.zone, zone)
  assert.throws(() => changedSince(Item, { cursor: { xid: 'id' }, zone: 'UTC' }), { name: 'Configuration' })
})

onEachEngine('a cursor', [source, target], (engine) => {
  const type = () => ({ postgres: 'text', mysql: 'varchar(40)', sqlite: 'text' })[engine.dialect]
  const loaded = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))
  const run = (id: string, options: Options = {}) => runPipeline(items(options), id, engine.harness.services)
  const lastRun = (moment: string) => setLastRun(items(), moment, engine.harness.services)
  const stamp = (id: number, changedAt: string) => source.query(`insert into item values (${id}, '${changedAt}')`)

  beforeEach(async () => {
    await (Product as unknown as ModelClass).createTable()
    await source.query(`create table item (id bigint primary key, changed_at ${type()})`)
  })

  test('that is text is read where all of it is ISO 8601, in the order of its moments', async () => {
    await lastRun('2024-01-01 10:00:00.000000')
    const before = ['2024-01-01 09:59:59.999999', '2024-01-01T09:59:59Z', '2024-01-01T09:59:59.999+00:00']
    const since = ['2024-01-01 10:00:00', '2024-01-01T10:00:00Z', '2024-01-01T10:00:00.000Z', '2024-01-01 10:00:00.5']
    for (const [index, changedAt] of [...before, ...since].entries()) await stamp(index, changedAt)

    await run('run-1')

    assert.deepEqual(await loaded(), [3, 4, 5, 6])
  })

  for (const [what, bad] of [
    ['the order of another country', '11/28/2026 08:05:00'],
    ['an offset', '2026-11-28 03:05:00-05'],
    ['no seconds', '2026-11-28 03:05'],
    ['no date', 'yesterday'],
  ]) {
    test(`that is text is refused with its number, an example and the remedy: ${what}`, async () => {
      await stamp(1, '2024-01-01 10:00:00')
      await stamp(2, bad as string)

      await assert.rejects(run('run-1'), (error: Error) => {
        assert.match(error.message, /changed_at of 1 row is not a time stamp in UTC/)
        assert.ok(error.message.includes(JSON.stringify(bad)))
        return error.name === 'Terminal'
      })

      assert.deepEqual(await loaded(), [])
    })
  }

  test('that is in a zone which the engine does not know is refused', async (context) => {
    if (engine.dialect === 'postgres') return context.skip('PostgreSQL has the zones of the IANA database')
    await stamp(1, '2024-01-01 10:00:00')

    await assert.rejects(
      run('run-1', { zone: 'America/New_York' }),
      engine.dialect === 'mysql' ? /tzinfo_to_sql/ : /sqlite knows no zones/,
    )
  })
})
