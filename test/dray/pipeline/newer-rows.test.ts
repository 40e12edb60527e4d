import assert from 'node:assert/strict'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import type { Connection } from 'dray/internal/database/adapter.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { onEachEngine } from './engines.ts'
import { runPipeline } from './harness.ts'

const source = database('newer-source')
const target = database('newer-target')

class Item extends source.table('item', { id: bigint().primaryKey(), changedAt: timestamp() }) {}
class Product extends target.table('product', { id: bigint().primaryKey() }) {}

type Options = Omit<Parameters<typeof changedSince<typeof Item>>[1], 'cursor'>
const items = (options: Options = {}): Pipeline =>
  pipeline('items', {
    extract: changedSince(Item, { cursor: 'changedAt', ...options }),
    transform: ({ id }) => ({ id }),
    load: upsert(Product, { by: 'id' }),
  }) as unknown as Pipeline
const whole = (partitionRows: number): Pipeline =>
  pipeline('items', {
    extract: fullLoad(Item, { partitionRows }),
    transform: ({ id }) => ({ id }),
    load: upsert(Product, { by: 'id' }),
  }) as unknown as Pipeline

const MINUTE = 60_000

onEachEngine('rows that are newer than the window', [source, target], (engine) => {
  const loaded = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))
  const run = (id: string, options?: Options) => runPipeline(items(options), id, engine.harness.services)
  const notes = async (id: string) =>
    ((await engine.harness.services.state.run(id))?.steps[0]?.notes ?? []) as readonly string[]
  const stamp = (id: number, millisecondsAgo: number) =>
    Item.insertAll([{ id: BigInt(id), changedAt: timestampOf(new Date(Date.now() - millisecondsAgo).toISOString()) }])
  const raw = (id: number, changedAt: string) => source.query(`insert into item values (${id}, '${changedAt}')`)

  beforeEach(async () => {
    for (const model of [Item, Product] as unknown as ModelClass[]) await model.createTable()
  })

  test('are read a moment later by default, where open transactions are seen', async () => {
    await stamp(1, MINUTE)

    await run('run-1')

    assert.deepEqual(await loaded(), [1])
    assert.deepEqual(await notes('run-1'), [])
  })

  test('are counted, with the time from which a run reads them', async () => {
    await stamp(1, MINUTE)
    await stamp(2, 0)
    await stamp(3, 0)

    await run('run-1', { lag: '1h' })

    const [note = ''] = await notes('run-1')
    assert.match(
      note,
      /^3 rows of newer-source\.item are newer than the window, which ends at .* UTC, and wait for a run after \d{4}-.* UTC \(lag 3600 s\)$/,
    )
    const after = /after (\S+ \S+) UTC/.exec(note)?.[1] ?? ''
    assert.ok(Math.abs(Date.parse(`${after.slice(0, 23).replace(' ', 'T')}Z`) - Date.now() - 3_600_000) < MINUTE)
  })

  test('are counted up to a thousand', async () => {
    const changedAt = timestampOf(new Date().toISOString())
    await Item.insertAll(Array.from({ length: 1_200 }, (_, id) => ({ id: BigInt(id), changedAt })))

    await run('run-1', { lag: '1h' })

    assert.match((await notes('run-1'))[0] ?? '', /^more than 1000 rows of .* wait for a run after/)
  })

  test('wait until a transaction has ended that is open, and the run says since when', async (context) => {
    if (engine.dialect === 'sqlite') return context.skip('SQLite does not say since when a transaction is open')
    await inTransaction(async (open) => {
      await open.query(`insert into item values (1, '2024-01-01 00:00:00')`)
      await stamp(2, 0)

      await run('run-1', { lag: '0s' })

      assert.match(
        (await notes('run-1'))[0] ?? '',
        /^1 row of newer-source\.item is newer than .* and waits until a transaction that has been open since .* UTC has ended$/,
      )
    })
  })

  test('whose stamp was taken a little before their transaction began are not missed', async (context) => {
    if (engine.dialect === 'sqlite') return context.skip('SQLite has one writer, whose lock is seen')
    const stamped = new Date(Date.now() - 1_500).toISOString().replace('T', ' ').replace('Z', '')
    await inTransaction(async (open) => {
      await open.query(`insert into item values (1, '${stamped}')`)
      await run('run-1', { lag: '0s' })
    })

    await run('run-2', { lag: '0s' })

    assert.deepEqual(await loaded(), [1])
  })

  test('by more than a day are in no window, which is said with the last of them', async () => {
    await stamp(1, MINUTE)
    await raw(2, '9999-12-31 00:00:00')
    await raw(3, engine.dialect === 'postgres' ? 'infinity' : '9999-12-31 23:59:59')

    await run('run-1')

    assert.deepEqual(await loaded(), [1])
    const last = engine.dialect === 'postgres' ? 'infinity' : '9999-12-31 23:59:59'
    const [note = '', ...others] = await notes('run-1')
    assert.match(note, /^2 rows of newer-source\.item beyond .* UTC by changed_at \(up to .*\): in no window/)
    assert.ok(note.includes(`(up to ${last}`))
    assert.deepEqual(others, [])
  })

  test('wait five minutes by default where nothing is seen, and a lag that was asked for holds there, too', async (context) => {
    if (engine.dialect !== 'sqlite') return context.skip('the grants of servers are in test/dray/database')
    await stamp(1, MINUTE)
    const path = join(engine.harness.folder, `${source.name}.db`)
    process.env[urlVariable(source.name)] = `sqlite:${path}?mode=ro`
    await source.close()

    await run('run-1')
    const first = await loaded()
    await run('run-2', { lag: '1s' })

    assert.deepEqual([first, await loaded()], [[], [1]])
    assert.match((await notes('run-1'))[0] ?? '', /the window ends 300 s before now and is not exact/)
    assert.match((await notes('run-2'))[0] ?? '', /the window ends 1 s before now and is not exact/)
  })

  test('do not matter to a full load, which says that its partitions are read in several snapshots', async () => {
    for (const id of [1, 2, 3]) await stamp(id, 0)

    await runPipeline(whole(2), 'run-1', engine.harness.services)
    await runPipeline(whole(3), 'run-2', engine.harness.services)

    assert.match((await notes('run-1'))[0] ?? '', /newer-source\.item is read in 2 snapshots, one for each partition/)
    assert.deepEqual(await notes('run-2'), [])
  })
})

/** A transaction of somebody else; it commits at the end of `work`. */
async function inTransaction(work: (open: Connection) => Promise<void>): Promise<void> {
  const adapter = await source.adapter()
  const open = await adapter.acquire()
  try {
    await open.begin('write')
    await work(open)
    await open.commit()
  } finally {
    await adapter.release(open)
  }
}
