import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import {
  compareInstants,
  instantOf,
  instantText,
  microsOf,
  secondsBefore,
  startOfUnit,
} from 'dray/internal/pipeline/texts/instant.ts'
import { type Harness, openHarness, runPipeline } from './harness.ts'

const source = database('window-source')
const target = database('window-target')

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  changedAt: timestamp().nullable(),
}) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: text().nullable() }) {}
const models = [Item, Product] as unknown as ModelClass[]

type Options = Omit<Parameters<typeof changedSince<typeof Item>>[1], 'cursor'>
const items = (options: Options = {}): Pipeline =>
  pipeline('items', {
    extract: changedSince(Item, { cursor: 'changedAt', lag: '0s', ...options }),
    transform: ({ id, label }) => ({ id, label }),
    load: upsert(Product, { by: 'id' }),
  }) as unknown as Pipeline

test('instants are added up to the microsecond, whatever their form', () => {
  assert.equal(instantText(microsOf('2024-03-01T00:00:00.000001Z') ?? 0n), '2024-03-01 00:00:00.000001')
  assert.equal(secondsBefore('2024-03-01 00:00:00.000001', 3600), '2024-02-29 23:00:00.000001')
  assert.equal(secondsBefore('1970-01-01 00:00:00', 1), '1969-12-31 23:59:59.000000')
  assert.equal(secondsBefore('9999-12-31 23:59:59.999999', 0), '9999-12-31 23:59:59.999999')
  assert.equal(startOfUnit('2024-03-01 10:20:30.999999', 1_000_000n), '2024-03-01 10:20:30.000000')
  assert.equal(startOfUnit('1969-12-31 23:59:59.5', 1_000_000n), '1969-12-31 23:59:59.000000')
  assert.equal(compareInstants('2024-03-01 00:00:00', '2024-03-01T00:00:00.000000Z'), 0)
  assert.equal(instantOf('2024-03-01T02:00:00+02:00', '--from'), '2024-03-01 00:00:00.000000')
  assert.throws(() => instantOf('yesterday', '--from'), { name: 'Configuration' })
})

test('an append without a key takes nothing that is read again in each run', () => {
  class Log extends target.table('log', { label: text().nullable() }) {}
  const appended = (options: Options) => () =>
    pipeline('items', {
      extract: changedSince(Item, { cursor: 'changedAt', ...options }),
      transform: ({ label }) => ({ label }),
      load: append(Log),
    })

  for (const options of [{ nulls: 'include' }, { overlap: '1h' }] as const) {
    assert.throws(appended(options), { name: 'Configuration', message: /would insert them each time/ })
  }
  assert.doesNotThrow(appended({ nulls: 'exclude' }))
})

describe('windows over the texts of SQLite', () => {
  let harness: Harness

  after(async () => {
    await Promise.all([source.close(), target.close()])
    await harness.close()
  })
  beforeEach(async () => {
    await Promise.all([source.close(), target.close()])
    await harness?.close()
    harness = await openHarness()
    for (const { name } of [source, target]) {
      process.env[urlVariable(name)] = `sqlite:${join(harness.folder, `${name}.db`)}`
    }
    for (const model of models) await model.createTable()
  })

  const stamp = (id: number, changedAt: string) =>
    source.query('insert into item (id, changed_at) values (?, ?)', [String(id), changedAt])
  const lastRun = (text: string) => setLastRun(items(), text, harness.services)
  const loaded = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))

  test('rows are in the window of their instant, in whatever form it is written', async () => {
    await lastRun('2024-01-01 10:00:00.000000')
    const before = ['2024-01-01 09:59:59.999999', '2024-01-01T09:59:59Z', '2024-01-01T09:59:59.999+00:00']
    const since = ['2024-01-01 10:00:00', '2024-01-01T10:00:00Z', '2024-01-01T10:00:00.000Z', '2024-01-01 10:00:00.5']
    for (const [index, text] of [...before, ...since].entries()) await stamp(index, text)

    await runPipeline(items(), 'run-1', harness.services)

    assert.deepEqual(await loaded(), [3, 4, 5, 6])
  })

  test('no row falls between two windows when its form sorts behind the end of the first', async () => {
    const now = Date.now()
    const isoOf = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString()
    for (let index = 0; index < 20; index++)
      await stamp(index, index % 2 ? isoOf(index) : isoOf(index).replace('T', ' '))
    const cut = instantOf(isoOf(10), 'cut')
    await lastRun(cut)
    await runPipeline(items(), 'run-1', harness.services)

    const late = await loaded()

    assert.deepEqual(
      late.filter((id) => id > 0 && id <= 10),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    )
    assert.equal(
      late.some((id) => id > 10),
      false,
    )
  })

  test('a window ends at a whole second where stamps have no fraction, since a later row may have the same', async () => {
    await stamp(1, '2024-01-01 10:00:00')

    const { last_run_after: hi } = await runPipeline(items(), 'run-1', harness.services)

    assert.match(hi ?? '', /\.000000$/)
  })

  test('a window ends at a whole day where stamps are dates', async () => {
    await stamp(1, '2024-01-01')

    const { last_run_after: hi } = await runPipeline(items(), 'run-1', harness.services)

    assert.match(hi ?? '', / 00:00:00\.000000$/)
    assert.deepEqual(await loaded(), [1])
  })

  for (const [what, text] of [
    ['an offset', '2024-01-01T10:00:00+02:00'],
    ['no date', '10:00:00'],
    ['no seconds', '2024-01-01 10:00'],
    ['another order', '01.02.2024 10:00:00'],
    ['a number', '1704103200'],
  ]) {
    test(`refuses a stamp that cannot be put in order, with ${what}`, async () => {
      await stamp(1, '2024-01-01 10:00:00')
      await stamp(2, text as string)

      await assert.rejects(runPipeline(items(), 'run-1', harness.services), /1 row .*not a time stamp in UTC/)

      assert.deepEqual(await loaded(), [])
    })
  }

  test('an overlap reads again what was stamped before last_run, and moves last_run as ever', async () => {
    await lastRun('2024-01-01 10:00:00.000000')
    await stamp(1, '2024-01-01 08:59:59.999999')
    await stamp(2, '2024-01-01 09:00:00')
    await stamp(3, '2024-01-01 10:00:00')

    const output = await runPipeline(items({ overlap: '1h' }), 'run-1', harness.services)

    assert.deepEqual(await loaded(), [2, 3])
    assert.equal(output.last_run_before, '2024-01-01 10:00:00.000000')
    assert.equal((await harness.services.state.pipeline('items'))?.lastRun, output.last_run_after)
  })

  test('says in the run what becomes of rows without a cursor, and how many they are', async () => {
    await Item.insertAll([
      { id: 1n, changedAt: null },
      { id: 2n, changedAt: null },
      { id: 3n, changedAt: timestampOf('2024-01-01 00:00:00') },
    ])
    await runPipeline(items({ nulls: 'include' }), 'run-1', harness.services)
    const included = await loaded()

    await runPipeline(items({ nulls: 'exclude' }), 'run-2', harness.services)

    assert.deepEqual(included, [1, 2, 3])
    const notes = async (run: string) => (await harness.services.state.run(run))?.steps[0]?.notes
    assert.deepEqual(await notes('run-1'), [
      "2 rows of window-source.item have no changed_at: read in each run (nulls: 'include')",
    ])
    assert.deepEqual(await notes('run-2'), [
      "2 rows of window-source.item have no changed_at: never read (nulls: 'exclude')",
    ])
  })

  test('says in the run that the window rests on the lag alone, and why', async () => {
    await stamp(1, '2024-01-01 10:00:00.5')
    process.env[urlVariable(source.name)] = `sqlite:${join(harness.folder, `${source.name}.db`)}?mode=ro`
    await source.close()

    await runPipeline(items(), 'run-1', harness.services)

    const notes = (await harness.services.state.run('run-1'))?.steps[0]?.notes ?? []
    assert.match(notes[0] ?? '', /the window ends 0 s before now and is not exact: the file is opened for reading/)
  })

  test('an xid cursor is refused where there are no numbers of transactions', async () => {
    assert.throws(() => changedSince(Item, { cursor: { xid: 'label' } }), { name: 'Configuration' })
    const byXid = pipeline('items', {
      extract: changedSince(Item, { cursor: { xid: 'id' } }),
      transform: ({ id, label }) => ({ id, label }),
      load: upsert(Product, { by: 'id' }),
    }) as unknown as Pipeline

    await assert.rejects(runPipeline(byXid, 'run-1', harness.services), /only PostgreSQL has/)
  })
})
