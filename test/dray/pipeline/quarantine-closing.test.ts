import assert from 'node:assert/strict'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { loadKeys, type RunMode } from 'dray/internal/messages/run-mode.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { DamagedObjects } from 'dray/internal/pipeline/quarantine/damaged-objects.ts'
import { quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, planRun, prepare, runPipeline } from './harness.ts'

const source = database('closing-source')
const target = database('closing-target')

class Item extends source.table('item', {
  region: varchar(20).primaryKey(),
  id: bigint().primaryKey(),
  label: text().nullable(),
  changedAt: timestamp(),
}) {}
class Product extends target.table('product', {
  region: varchar(20).primaryKey(),
  id: bigint().primaryKey(),
  label: varchar(10).nullable(),
  changedAt: timestamp(),
}) {}
/** Nothing tells one of its rows from another. */
class Happening extends target.table('happening', { id: bigint(), label: text().nullable() }) {}
const models = [Item, Product, Happening] as unknown as ModelClass[]

const incremental = changedSince(Item, { cursor: 'changedAt', lag: '0s' })
const transform = (refused: readonly string[]): Pipeline['transform'] =>
  ((row: InstanceType<typeof Item>, verdict: { reject(field: string, code: string): null }) => {
    const { region, id, label, changedAt } = row
    if (label === 'left out') return null
    return refused.includes(label ?? '') ? verdict.reject('label', 'bad') : { region, id, label, changedAt }
  }) as never

/** Rows whose label is one of these are refused. */
const items = (refused: readonly string[]) =>
  pipeline('items', {
    extract: incremental,
    transform: transform(refused) as never,
    load: upsert(Product, { by: ['region', 'id'], version: 'changedAt' }),
  }) as unknown as Pipeline
const wholeTable = (refused: readonly string[]) =>
  pipeline('items', {
    extract: fullLoad(Item, { partitionRows: 2 }),
    transform: transform(refused) as never,
    load: upsert(Product, { by: ['region', 'id'] }),
  }) as unknown as Pipeline
const happenings = (refused: readonly string[]) =>
  pipeline('items', {
    extract: incremental,
    transform: (({ id, label }: { id: bigint; label: string | null }, row: { reject(f: string, c: string): null }) =>
      refused.includes(label ?? '') ? row.reject('label', 'bad') : { id, label }) as never,
    load: append(Happening),
  }) as unknown as Pipeline

onEachEngine('an open row of the quarantine', [source, target], (engine) => {
  beforeEach(async () => {
    for (const model of models) await model.createTable()
  })

  const services = () => engine.harness.services
  const put = (id: number, label: string, day = '2024-01-01') =>
    Item.upsertAll([{ region: 'Nörth "1"', id: BigInt(id), label, changedAt: timestampOf(`${day} 00:00:00`) }], {
      by: ['region', 'id'],
    })
  /** A change that the next usual run reads. */
  async function change(id: number, label: string): Promise<void> {
    await put(id, label, '2024-02-01')
    await setLastRun(items([]), '2024-01-15 00:00:00.000000', services())
  }
  /** Rows of the quarantine as `run id label: what became of it, by whom`. */
  async function kept(damaged = new DamagedObjects()): Promise<string[]> {
    const rows: string[] = []
    for await (const { run, row, record } of quarantinedRows(services().staging, 'items', { damaged })) {
      const closed = record === null ? 'open' : `${record.action} by ${record.by}`
      rows.push(`${run} ${row.id} ${row.label}: ${closed}`)
    }
    return rows.sort()
  }
  const staged = async (run: string) => {
    const keys = await services().staging.list(`runs/${run}/items`)
    return keys.map((key) => key.split('/')[3]).filter((part) => part === '_open' || part === '_passed')
  }

  /** Three rows, of which two are refused. */
  async function quarantineTwo(made = items): Promise<void> {
    await put(1, 'good')
    await put(2, 'bad')
    await put(3, 'worse')
    await runPipeline(made(['bad', 'worse']), 'run-1', services())
  }

  const modes: [string, RunMode | null][] = [
    ['a usual run', null],
    ['a backfill', { backfill: { from: '2024-01-01T00:00:00Z', to: '2024-06-01T00:00:00Z' } }],
    ['a run of keys', loadKeys([['Nörth "1"', '2']] as never)],
    ['a replay of another run', { replay: { run: 'run-2' } }],
  ]
  for (const [name, mode] of modes) {
    test(`is closed when its key lands by ${name}, and no other is`, async () => {
      await quarantineTwo()
      await change(2, 'bad')
      if (name.startsWith('a replay')) {
        // It quarantines the newer version and never comes to its end.
        await prepare(items(['bad']), 'run-2', await planRun(items(['bad']), 'run-2', services()), 0, services())
        await services().state.releaseLease('items', 'run-2')
      }

      await runPipeline(items(['worse']), 'run-3', services(), mode)

      // A backfill reads the row that is still bad again.
      const isReadAgain = name === 'a backfill'
      assert.deepEqual(
        await kept(),
        [
          'run-1 2 bad: landed by run-3',
          isReadAgain ? 'run-1 3 worse: superseded by run-3' : 'run-1 3 worse: open',
          ...(name.startsWith('a replay') ? ['run-2 2 bad: replayed by run-3'] : []),
          ...(isReadAgain ? ['run-3 3 worse: open'] : []),
        ].sort(),
      )
    })
  }

  test('is closed by a full load of several partitions, and by one that leaves its row out', async () => {
    await quarantineTwo(wholeTable)
    await put(3, 'left out')
    await put(4, 'new')

    const output = await runPipeline(wholeTable([]), 'run-2', services())

    assert.deepEqual([output.inserted, output.filtered, output.quarantined], [2, 1, 0])
    assert.deepEqual(await kept(), ['run-1 2 bad: landed by run-2', 'run-1 3 worse: landed by run-2'])
  })

  test('is closed by a run that dies as soon as last_run has moved, whose rows no run reads again', async (t) => {
    await quarantineTwo()
    await change(2, 'good again')
    const { state } = services()
    const commit = state.commit.bind(state)
    const dying = t.mock.method(state, 'commit', async (...given: Parameters<typeof commit>) => {
      await commit(...given)
      throw new Error('killed')
    })
    await assert.rejects(runPipeline(items(['worse']), 'run-2', services()), /killed/)
    dying.mock.restore()
    await state.releaseLease('items', 'run-2')

    const { read } = await runPipeline(items(['worse']), 'run-3', services())

    assert.equal(read, 0)
    assert.deepEqual(await kept(), ['run-1 2 bad: landed by run-2', 'run-1 3 worse: open'])
  })

  test('gives way to the entry of a later run that has quarantined its row again: by the transform, or by the load', async () => {
    await quarantineTwo(wholeTable)
    await put(3, 'too long for the column')

    await runPipeline(wholeTable(['bad']), 'run-2', services())

    assert.deepEqual(await kept(), [
      'run-1 2 bad: superseded by run-2',
      'run-1 3 worse: superseded by run-2',
      'run-2 2 bad: open',
      'run-2 3 too long for the column: open',
    ])
  })

  test('stays open when an older version of its row lands', async () => {
    await quarantineTwo()
    await change(2, 'worse')
    await prepare(items(['worse']), 'run-2', await planRun(items(['worse']), 'run-2', services()), 0, services())
    await services().state.releaseLease('items', 'run-2')

    const output = await runPipeline(items([]), 'run-3', services(), { replay: { run: 'run-1' } })

    assert.equal(output.inserted, 2)
    assert.deepEqual(await kept(), [
      'run-1 2 bad: replayed by run-3',
      'run-1 3 worse: replayed by run-3',
      'run-2 2 worse: open',
    ])
  })

  test('stays open in an append without a key when another version is appended, and is closed by its own', async () => {
    await quarantineTwo(happenings)
    await change(2, 'newer')
    await runPipeline(happenings([]), 'run-2', services())
    const before = await kept()
    await setLastRun(happenings([]), '2023-01-01 00:00:00.000000', services())
    await Item.deleteAll({ id: 1n })
    await Item.deleteAll({ id: 2n })

    await runPipeline(happenings([]), 'run-3', services())

    assert.deepEqual(before, ['run-1 2 bad: open', 'run-1 3 worse: open'])
    assert.deepEqual(await kept(), ['run-1 2 bad: open', 'run-1 3 worse: landed by run-3'])
  })

  test('stays open while the run that loads its key is not committed', async () => {
    await quarantineTwo()
    await change(2, 'mended')
    const planned = await planRun(items([]), 'run-2', services())
    await load(items([]), await prepare(items([]), 'run-2', planned, 0, services()), services())
    const before = await kept()

    await commitRun(items([]), 'run-2', planned, services())
    await commitRun(items([]), 'run-2', planned, services())

    assert.deepEqual(before, ['run-1 2 bad: open', 'run-1 3 worse: open'])
    assert.deepEqual(await kept(), ['run-1 2 bad: landed by run-2', 'run-1 3 worse: open'])
  })

  test('costs a run nothing once none is open', async () => {
    await quarantineTwo()
    await runPipeline(items([]), 'run-2', services(), { replay: {} })
    await change(4, 'good')

    await runPipeline(items([]), 'run-3', services())

    assert.deepEqual([await staged('run-1'), await staged('run-2'), await staged('run-3')], [[], [], []])
  })

  test('stays open where what the run noted is damaged, and the run succeeds', async () => {
    await quarantineTwo()
    await change(2, 'mended')
    const planned = await planRun(items([]), 'run-2', services())
    const [open] = await services().staging.list('runs/run-2/items/_open')
    await truncate(join(engine.harness.folder, 'staging', open as string), 40)
    await load(items([]), await prepare(items([]), 'run-2', planned, 0, services()), services())

    const output = await commitRun(items([]), 'run-2', planned, services())

    assert.equal(output.inserted, 1)
    assert.deepEqual(await kept(), ['run-1 2 bad: open', 'run-1 3 worse: open'])
  })

  test('is listed, replayed and closed though another object of the quarantine is damaged, which is said', async () => {
    await quarantineTwo()
    await change(4, 'bad')
    await runPipeline(items(['bad']), 'run-2', services())
    const [broken] = await services().staging.list('quarantine/items/run-1')
    await truncate(join(engine.harness.folder, 'staging', broken as string), 200)
    const damaged = new DamagedObjects()
    const before = await kept(damaged)

    const output = await runPipeline(items([]), 'run-3', services(), { replay: {} })

    assert.deepEqual(before, ['run-2 4 bad: open'])
    assert.match(damaged.notes.join(), /quarantine\/items\/run-1.* is damaged, so its rows are left out/)
    assert.deepEqual([output.inserted, await kept()], [1, ['run-2 4 bad: replayed by run-3']])
    assert.match((await services().state.run('run-3'))?.steps[0]?.notes?.join() ?? '', /run-1.* is damaged/)
    await change(5, 'good')
    await runPipeline(items([]), 'run-4', services())
    assert.match((await services().state.run('run-4'))?.steps[0]?.notes?.join() ?? '', /no run closes them/)
  })
})
