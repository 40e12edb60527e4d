import assert from 'node:assert/strict'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, binary, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { type KeptRow, quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { appendToLog } from 'dray/internal/pipeline/quarantine/log.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { type Harness, openHarness, planRun, prepare, runPipeline, runReference } from './harness.ts'

const source = database('replay-source')
const target = database('replay-target')

class Held extends source.table('held', { name: text().primaryKey(), bytes: binary() }) {}
class Landed extends target.table('landed', { name: text().primaryKey(), bytes: binary() }) {}
const holding = pipeline('holding', {
  extract: fullLoad(Held),
  transform: ({ name, bytes }) => ({ name, bytes }),
  load: upsert(Landed, { by: 'name' }),
}) as unknown as Pipeline

class Item extends source.table('item', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  changedAt: timestamp(),
}) {}
class Product extends target.table('product', {
  id: bigint().primaryKey(),
  label: varchar(10).nullable(),
  changedAt: timestamp().nullable(),
}) {}
/** Nothing keeps a row from being there twice but Dray. */
class Happening extends target.table('happening', { id: bigint(), label: text().nullable() }) {}
const models = [Item, Product, Happening] as unknown as ModelClass[]

/** Rows whose label is one of these are refused; a mended transform refuses fewer. */
function items(refused: readonly string[], versioned = false): Pipeline {
  return pipeline('items', {
    extract: changedSince(Item, { cursor: 'changedAt', lag: '0s' }),
    transform: ({ id, label, changedAt }, row) =>
      refused.includes(label ?? '') ? row.reject('label', 'bad') : { id, label, changedAt },
    load: upsert(Product, versioned ? { by: 'id', version: 'changedAt' } : { by: 'id' }),
  }) as unknown as Pipeline
}

function happenings(refused: readonly string[]): Pipeline {
  return pipeline('items', {
    extract: changedSince(Item, { cursor: 'changedAt', lag: '0s' }),
    transform: ({ id, label }, row) => (refused.includes(label ?? '') ? row.reject('label', 'bad') : { id, label }),
    load: append(Happening),
  }) as unknown as Pipeline
}

const ALL: RunMode = { replay: {} }

describe('the quarantine', () => {
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

  const put = (id: bigint, label: string, changedAt: string) =>
    Item.upsertAll([{ id, label, changedAt: timestampOf(changedAt) }], { by: 'id' })
  const products = async () => (await Product.all().order('id').toArray()).map(({ id, label }) => [Number(id), label])
  async function kept(): Promise<KeptRow[]> {
    const rows: KeptRow[] = []
    for await (const row of quarantinedRows(harness.services.staging, 'items')) rows.push(row)
    return rows
  }
  const open = async () => (await kept()).filter(({ record }) => record === null)

  /** Three rows, of which two are refused. */
  async function quarantineTwo(versioned = false): Promise<void> {
    await put(1n, 'good', '2024-01-01 00:00:00')
    await put(2n, 'bad', '2024-01-01 00:00:00')
    await put(3n, 'worse', '2024-01-01 00:00:00')
    await runPipeline(items(['bad', 'worse'], versioned), 'run-1', harness.services)
  }

  test('keeps a row whose text is not valid UTF-8 with its bytes, and loads the others', async () => {
    await put(1n, 'good', '2024-01-01 00:00:00')
    await put(2n, 'as it is: \uFFFD', '2024-01-01 00:00:00')
    await put(3n, 'to be damaged', '2024-01-01 00:00:00')
    await source.query("update item set label = cast(x'61ff62' as text) where id = 3")

    const { read, inserted, quarantined } = await runPipeline(items([], true), 'run-1', harness.services)

    assert.deepEqual([read, inserted, quarantined], [3, 1, 2])
    const [tooLong, damaged] = (await kept()).sort((one, other) => (one.row.id ?? '').localeCompare(other.row.id ?? ''))
    assert.equal(tooLong?.row.label, 'as it is: \uFFFD')
    assert.deepEqual(
      [damaged?.row.id, damaged?.row.label, damaged?.errors[0]?.field, damaged?.errors[0]?.code],
      ['3', '\\x61ff62', 'label', 'invalid_utf8'],
    )
  })

  test('quarantines a row that holds bytes in a column of text, and loads it by a replay once it is text', async () => {
    await put(1n, 'good', '2024-01-01 00:00:00')
    await put(2n, 'hello', '2024-01-01 00:00:00')
    await source.query("update item set label = x'68656c6c6f' where id = 2")

    const first = await runPipeline(items([]), 'run-1', harness.services)
    const [bytes] = await kept()
    await source.query("update item set label = 'hello' where id = 2")
    const mended = await runPipeline(items([]), 'run-2', harness.services, ALL)

    assert.deepEqual([first.inserted, first.quarantined, mended.inserted], [1, 1, 1])
    assert.deepEqual([bytes?.row.label, bytes?.errors[0]?.code], ['\\x68656c6c6f', 'invalid_utf8'])
    assert.deepEqual(await products(), [
      [1, 'good'],
      [2, 'hello'],
    ])
  })

  test('quarantines a key that is bytes, beside the text of their hexadecimal, and text in a column of bytes', async () => {
    for (const [name, database] of [
      ['held', source],
      ['landed', target],
    ] as const) {
      await database.query(`create table ${name} (name text primary key, bytes blob)`)
    }
    await source.query(
      "insert into held values ('\\x616263', x'0a'), (x'616263', x'0b'), ('abc', x'0c'), ('text', '\\x0a0b')",
    )

    const { inserted, quarantined } = await runPipeline(holding, 'run-1', harness.services)

    assert.deepEqual([inserted, quarantined], [2, 2])
    assert.deepEqual((await target.query('select name, hex(bytes) from landed order by name')).rows, [
      ['\\x616263', '0A'],
      ['abc', '0C'],
    ])
  })

  test('a replay reads a row with text that was not valid UTF-8 again, and never loads its hexadecimal', async () => {
    await put(3n, 'to be damaged', '2024-01-01 00:00:00')
    await source.query("update item set label = cast(x'61ff62' as text) where id = 3")
    await runPipeline(items([], true), 'run-1', harness.services)
    const again = await runPipeline(items([], true), 'run-2', harness.services, ALL)
    await source.query("update item set label = 'mended' where id = 3")

    const mended = await runPipeline(items([], true), 'run-3', harness.services, ALL)

    assert.deepEqual([again.quarantined, mended.inserted], [1, 1])
    assert.deepEqual(await products(), [[3, 'mended']])
  })

  test('a replay of an append that died after it had landed is not sent again, and the quarantine says who loaded what', async () => {
    await quarantineTwo()
    const dead = await planRun(happenings(['worse']), 'run-2', harness.services, ALL)
    await load(
      happenings(['worse']),
      await prepare(happenings(['worse']), 'run-2', dead, 0, harness.services),
      harness.services,
    )
    await harness.services.state.releaseLease('items', 'run-2')

    const next = await runPipeline(happenings([]), 'run-3', harness.services, ALL)

    const rows = (await Happening.all().order('id').toArray()).map(({ id, label }) => [Number(id), label])
    assert.deepEqual(rows, [
      [2, 'bad'],
      [3, 'worse'],
    ])
    // Of the dead run's two rows one was refused again, under its own id.
    assert.deepEqual([next.read, next.inserted], [1, 1])
    const records = (await kept()).map(({ run, row, record }) => [run, row.id, record?.by])
    assert.deepEqual(records.sort(), [
      ['run-1', '2', 'run-2'],
      ['run-1', '3', 'run-2'],
      ['run-2', '3', 'run-3'],
    ])
    assert.deepEqual(await open(), [])
  })

  test('a replay of an append that died before it landed is sent by the next one', async () => {
    await quarantineTwo()
    const dead = await planRun(happenings([]), 'run-2', harness.services, ALL)
    await prepare(happenings([]), 'run-2', dead, 0, harness.services)
    await harness.services.state.releaseLease('items', 'run-2')

    const next = await runPipeline(happenings([]), 'run-3', harness.services, ALL)

    assert.deepEqual([next.read, next.inserted], [2, 2])
    assert.equal(await Happening.count(), 2)
    assert.deepEqual(await open(), [])
  })

  test('where the records of a replay that died are damaged, its rows are sent again, unless they could be there twice', async () => {
    await quarantineTwo(true)
    const dead = await planRun(items([], true), 'run-2', harness.services, ALL)
    await load(items([], true), await prepare(items([], true), 'run-2', dead, 0, harness.services), harness.services)
    await harness.services.state.releaseLease('items', 'run-2')
    const [records] = await harness.services.staging.list('runs/run-2/items/_replayed')
    await truncate(join(harness.folder, 'staging', records as string), 10)

    const refused = planRun(happenings([]), 'run-3', harness.services, ALL)
    await assert.rejects(refused, { name: 'StagedObjectDamaged' })
    await harness.services.state.releaseLease('items', 'run-3')
    const next = await runPipeline(items([], true), 'run-4', harness.services, ALL)

    assert.deepEqual([next.read, next.inserted, next.unchanged], [2, 0, 2])
    assert.deepEqual(await open(), [])
  })

  test('where the records of a replay that died have expired, an append without a key sends only rows that are named', async () => {
    await quarantineTwo()
    const dead = await planRun(happenings([]), 'run-2', harness.services, ALL)
    await load(happenings([]), await prepare(happenings([]), 'run-2', dead, 0, harness.services), harness.services)
    await harness.services.state.releaseLease('items', 'run-2')
    for (const key of await harness.services.staging.list('runs/run-2')) await harness.services.staging.remove(key)
    const [first] = await open()

    await assert.rejects(planRun(happenings([]), 'run-3', harness.services, ALL), {
      name: 'Configuration',
      message: /what the replay run-2 has sent is not known any more.*discard items --id/,
    })
    await harness.services.state.releaseLease('items', 'run-3')
    const named = await runPipeline(happenings([]), 'run-4', harness.services, { replay: { ids: [first?.id ?? ''] } })

    assert.deepEqual([named.inserted, await Happening.count()], [1, 3])
  })

  test('a replay that came to its end is known by the log when its records have expired', async () => {
    await quarantineTwo()
    await runPipeline(happenings(['worse']), 'run-2', harness.services, ALL)
    for (const key of await harness.services.staging.list('runs/run-2')) await harness.services.staging.remove(key)

    const next = await runPipeline(happenings([]), 'run-3', harness.services, ALL)

    assert.deepEqual([next.inserted, await Happening.count()], [1, 2])
  })

  test('gives each row an id that each attempt of the same run gives it, too', async () => {
    await put(1n, 'bad', '2024-01-01 00:00:00')
    await put(2n, 'bad', '2024-01-01 00:00:00')
    const bad = items(['bad'])
    const planned = await planRun(bad, 'run-1', harness.services)
    const input = { run: runReference('run-1'), pipeline: 'items', plan: planned.plan, epoch: 1, partition: 0 }
    const extracted = await extract(bad, input, harness.services)
    await transform(bad, extracted, harness.services)
    const once = (await kept()).map(({ id }) => id)

    await transform(bad, extracted, harness.services)

    assert.deepEqual(
      (await kept()).map(({ id }) => id),
      once,
    )
    assert.equal(new Set(once).size, 2)
  })

  for (const versioned of [false, true]) {
    test(`is loaded by the transform of now ${versioned ? 'with' : 'without'} a version, and each row is accounted for`, async () => {
      await quarantineTwo(versioned)
      const before = (await harness.services.state.pipeline('items'))?.lastRun

      const output = await runPipeline(items(['worse'], versioned), 'run-2', harness.services, ALL)

      assert.deepEqual([output.read, output.inserted, output.quarantined], [2, 1, 1])
      assert.deepEqual(await products(), [
        [1, 'good'],
        [2, 'bad'],
      ])
      assert.equal((await harness.services.state.pipeline('items'))?.lastRun, before)
      const states = (await kept()).map(({ run, row, record }) => [run, row.id, record?.action ?? 'open', record?.by])
      assert.deepEqual(states, [
        ['run-1', '2', 'replayed', 'run-2'],
        ['run-1', '3', 'replayed', 'run-2'],
        ['run-2', '3', 'open', undefined],
      ])
    })

    test(`never overwrites a newer row ${versioned ? 'with' : 'without'} a version`, async () => {
      await quarantineTwo(versioned)
      await put(2n, 'newer', '2024-02-01 00:00:00')
      await target.query("insert into product (id, label, changed_at) values (2, 'newer', '2024-02-01 00:00:00')")

      await runPipeline(items([], versioned), 'run-2', harness.services, ALL)

      assert.deepEqual(await products(), [
        [1, 'good'],
        [2, 'newer'],
        [3, 'worse'],
      ])
      assert.deepEqual(await open(), [])
    })
  }

  test('does not load a row that the source has no longer, and says so', async () => {
    await quarantineTwo()
    await Item.deleteAll({ id: 2n })

    await runPipeline(items([]), 'run-2', harness.services, ALL)

    assert.deepEqual(await products(), [
      [1, 'good'],
      [3, 'worse'],
    ])
    assert.match((await kept()).find(({ row }) => row.id === '2')?.record?.reason ?? '', /no row of this key any more/)
    assert.match((await harness.services.state.run('run-2'))?.steps[0]?.notes?.join() ?? '', /1 are not in the source/)
  })

  test('takes the latest copy of a row that several runs have quarantined', async () => {
    await quarantineTwo(true)
    await put(2n, 'bad', '2024-02-01 00:00:00')
    await harness.services.state.setLastRun('items', '2024-01-15 00:00:00.000000', Date.now())
    await runPipeline(items(['bad', 'worse'], true), 'run-2', harness.services)

    const output = await runPipeline(items([], true), 'run-3', harness.services, ALL)

    assert.equal(output.read, 2)
    const [row] = await target.query('select changed_at from product where id = 2').then(({ rows }) => rows)
    assert.match(row?.[0] ?? '', /^2024-02-01/)
    assert.deepEqual(await open(), [])
  })

  test('may be replayed in parts: by run and by id', async () => {
    await quarantineTwo()
    const [first, second] = await open()

    await runPipeline(items([]), 'run-2', harness.services, { replay: { ids: [first?.id as string] } })
    const left = await open()
    await runPipeline(items([]), 'run-3', harness.services, { replay: { run: 'run-0' } })

    assert.deepEqual(
      left.map(({ id }) => id),
      [second?.id],
    )
    assert.deepEqual(
      (await open()).map(({ id }) => id),
      [second?.id],
    )
  })

  test('leaves discarded rows alone', async () => {
    await quarantineTwo()
    const [first] = await open()
    const record = { id: first?.id as string, action: 'discarded' as const, reason: 'no use', by: 'me' }
    await appendToLog(harness.services.staging, 'items', [{ ...record, at: '2024-01-02T00:00:00Z' }])

    const output = await runPipeline(items([]), 'run-2', harness.services, ALL)

    assert.equal(output.read, 1)
    assert.equal((await kept()).find(({ id }) => id === first?.id)?.record?.reason, 'no use')
  })

  test('keeps rows without a key where they could overwrite what is newer', async () => {
    await source.query('drop table item')
    await source.query('create table item (id integer unique, label text, changed_at text)')
    await source.query("insert into item values (null, 'bad', '2024-01-01 00:00:00')")
    await runPipeline(items(['bad']), 'run-1', harness.services)

    const output = await runPipeline(items([]), 'run-2', harness.services, ALL)

    assert.equal(output.read, 0)
    assert.equal((await open()).length, 1)
    assert.match((await harness.services.state.run('run-2'))?.steps[0]?.notes?.join() ?? '', /1 stay in the quarantine/)
  })

  test('is not emptied by a replay that did not come to its end', async () => {
    await quarantineTwo()

    await planRun(items([]), 'run-2', harness.services, ALL)

    assert.equal((await open()).length, 2)
  })
})
