import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { TransientError } from 'dray/internal/errors.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { startOfRun } from 'dray/internal/pipeline/stages/draft-run.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, openHarness, planRun, prepare, runPipeline } from './harness.ts'

const source = database('known-source')
const target = database('known-target')
const others = { source: database('other-source'), target: database('other-target') }

class Item extends source.table('item', { id: bigint().primaryKey(), label: varchar(10), changedAt: timestamp() }) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: varchar(10) }) {}
class Entry extends target.table('entry', { id: bigint(), label: varchar(10) }) {}
class Version extends target.table('version', {
  id: bigint().primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
  label: varchar(10),
}) {}
const targetModels = [Product, Entry, Version] as unknown as ModelClass[]

const extract = changedSince(Item, { cursor: 'changedAt', lag: '0s' })
const transform = ({ id, label }: Item) => ({ id, label })
const kinds = {
  upsert: pipeline('items', { extract, transform, load: upsert(Product, { by: 'id' }) }) as unknown as Pipeline,
  append: pipeline('items', { extract, transform, load: append(Entry) }) as unknown as Pipeline,
  history: pipeline('items', {
    extract,
    transform,
    load: history(Version, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
  }) as unknown as Pipeline,
  replace: pipeline('items', {
    extract: fullLoad(Item),
    transform,
    load: replace(Product),
  }) as unknown as Pipeline,
}
type Kind = keyof typeof kinds

/** Binds one database to where the other one is bound, and that one to where it was. */
async function swap(one: Database, other: Database): Promise<void> {
  await Promise.all([one.close(), other.close()])
  const [first, second] = [urlVariable(one.name), urlVariable(other.name)]
  const [url, otherUrl] = [process.env[first], process.env[second]]
  Object.assign(process.env, { [first]: otherUrl, [second]: url })
}

/** The state store, one of whose calls fails before it does anything. */
function failingAt(state: StateStore, name: keyof StateStore): StateStore {
  return new Proxy(state, {
    get(store, asked) {
      const value = Reflect.get(store, asked)
      if (asked === name) return () => Promise.reject(new TransientError('the state table is away'))
      return typeof value === 'function' ? value.bind(store) : value
    },
  })
}

onEachEngine('last_run belongs to a source and a target', [source, target, others.source, others.target], (engine) => {
  beforeEach(async () => {
    for (const each of [others, null]) {
      if (each !== null) await Promise.all([swap(source, each.source), swap(target, each.target)])
      await (Item as unknown as ModelClass).createTable()
      for (const model of targetModels) await model.createTable()
      if (each !== null) await Promise.all([swap(source, each.source), swap(target, each.target)])
    }
  })

  const put = (id: number) =>
    Item.insertAll([{ id: BigInt(id), label: `${id}`, changedAt: timestampOf(`2024-01-01 00:00:0${id}`) }])
  const run = (of: Pipeline, id: string) => runPipeline(of, id, engine.harness.services)
  const notesOf = async (id: string) => (await engine.harness.services.state.run(id))?.steps[0]?.notes?.join() ?? ''
  const release = (id: string) => engine.harness.services.state.releaseLease('items', id)
  /** The ids in the target, each as often as it is there; of a history, its current versions. */
  const landed = async (kind: Kind) => {
    if (kind === 'append') return (await Entry.all().order('id').toArray()).map(({ id }) => Number(id))
    if (kind === 'history')
      return (await Version.where({ validTo: null }).order('id').toArray()).map(({ id }) => Number(id))
    return (await Product.all().order('id').toArray()).map(({ id }) => Number(id))
  }
  const seconds = (text: string) => setLastRun(kinds.upsert, text, engine.harness.services)

  for (const kind of ['upsert', 'history', 'replace'] as const) {
    test(`${kind}: a target that is new, and one that is older, get what they lack`, async () => {
      await put(1)
      await run(kinds[kind], 'run-1')
      await swap(target, others.target)

      await run(kinds[kind], 'run-2')
      const inNew = await landed(kind)
      await put(2)
      await rewound('2024-01-01 00:00:02')
      await run(kinds[kind], 'run-3')
      const later = await landed(kind)
      await swap(target, others.target)
      await run(kinds[kind], 'run-4')

      assert.deepEqual([inNew, later, await landed(kind)], [[1], [1, 2], [1, 2]])
      if (kind === 'replace') return
      assert.match(
        await notesOf('run-2'),
        /rows have landed in known-target\.\w+ at no time: it is new, .* all rows are/,
      )
      assert.match(await notesOf('run-4'), /up to .*: it is new, was restored from a backup or is another one, so what/)
    })
  }

  /** The first target, as if its last window had ended before a row was stamped. */
  async function rewound(mark: string): Promise<void> {
    await swap(target, others.target)
    await target.query(`update dray_fence set mark = '${mark}'`)
    await swap(target, others.target)
    await target.query(`update dray_fence set mark = '${mark}'`)
  }

  test('an append refuses a target that is new, and takes the remedy', async () => {
    await put(1)
    await run(kinds.append, 'run-1')
    await swap(target, others.target)

    await assert.rejects(run(kinds.append, 'run-2'), {
      name: 'Terminal',
      message: /at no time: .* nothing was read; `npx dray state reset items --yes` has all rows loaded once/,
    })

    await release('run-2')
    await setLastRun(kinds.append, null, engine.harness.services)
    await run(kinds.append, 'run-3')
    assert.deepEqual(await landed('append'), [1])
  })

  test('an append refuses a target that is older, and goes on from there by the remedy', async () => {
    await put(1)
    await run(kinds.append, 'run-1')
    await put(2)
    await target.query(`update dray_fence set mark = '2024-01-01 00:00:02.000000'`)

    const refused = await run(kinds.append, 'run-2').catch((error: Error) => error.message)

    assert.match(`${refused}`, /up to 2024-01-01 00:00:02\.000000: .* `npx dray state set items '2024-01-01 00:00:02/)
    await release('run-2')
    await setLastRun(kinds.append, '2024-01-01 00:00:02.000000', engine.harness.services)
    await run(kinds.append, 'run-3')
    assert.deepEqual(await landed('append'), [1, 2])
  })

  test('what an append refuses at Plan, `dray plan` refuses in the same words', async () => {
    const { services } = engine.harness
    const saidBefore = async () => {
      const known = await services.state.pipeline('items')
      return startOfRun(kinds.append, null, known, services).catch((error: Error) => error.message)
    }
    const said = async (id: string) => {
      const refused = await run(kinds.append, id).catch((error: Error) => error.message)
      await release(id)
      return refused
    }
    await put(1)
    await run(kinds.append, 'run-1')
    await swap(target, others.target)
    const ofNew = [await saidBefore(), await said('run-2')]
    await swap(target, others.target)
    // In the window of the next run, so that there is a part of it to land.
    const now = timestampOf(new Date().toISOString().replace('T', ' ').replace('Z', ''))
    await Item.insertAll([{ id: 2n, label: '2', changedAt: now }])
    await delay(3_000)
    const planned = await planRun(kinds.append, 'run-3', services)
    await load(kinds.append, await prepare(kinds.append, 'run-3', planned, 0, services), services)
    await release('run-3')
    await services.state.setLastRun('items', null, Date.now())

    const ofPart = [await saidBefore(), await said('run-4')]

    assert.match(`${ofNew[0]}`, /at no time: .* nothing was read/)
    assert.match(`${ofPart[0]}`, /some behind that by run run-3, which did not come to its end, .* nothing was read/)
    assert.deepEqual([ofNew[0], ofPart[0]], [ofNew[1], ofPart[1]])
  })

  for (const kind of ['upsert', 'append', 'history'] as const) {
    test(`${kind}: a Commit that marked the target and could not move last_run loses and doubles nothing`, async () => {
      await put(1)
      const { services } = engine.harness
      const failing = { ...services, state: failingAt(services.state, 'commit') }
      await assert.rejects(runPipeline(kinds[kind], 'run-1', failing), { name: 'Transient' })
      await release('run-1')

      await run(kinds[kind], 'run-2')

      assert.deepEqual(await landed(kind), [1])
    })
  }

  test('a fence that was dropped is a new target', async () => {
    await put(1)
    await run(kinds.upsert, 'run-1')
    for (const table of ['dray_fence', 'dray_migration']) await target.query(`drop table ${table}`)
    await Product.all().deleteAll()

    await run(kinds.upsert, 'run-2')

    assert.deepEqual(await landed('upsert'), [1])
  })

  test('a state that was lost takes the epoch of the target over, and an append is not loaded twice', async () => {
    await put(1)
    for (const id of ['run-1', 'run-2', 'run-3']) await run(kinds.upsert, id)
    const lost = await openHarness()
    try {
      const output = await runPipeline(kinds.upsert, 'run-4', lost.services)

      assert.equal(output.read, 1)
      const notes = (await lost.services.state.run('run-4'))?.steps[0]?.notes?.join() ?? ''
      assert.match(notes, /was at epoch 3 and the state at 1: .* has taken epoch 4/)
      await lost.services.state.setLastRun('items', null, Date.now())
      // As if they had landed in the table that is appended to.
      await target.query('update dray_fence set written_table = null')
      await assert.rejects(runPipeline(kinds.append, 'run-5', lost.services), /load rows twice, and nothing was read/)
    } finally {
      await lost.close()
    }
  })

  test('a run of another state store cannot write by the same epoch', async () => {
    const other = await openHarness()
    await put(1)
    try {
      const first = await planRun(kinds.upsert, 'run-1', engine.harness.services)
      const second = await planRun(kinds.upsert, 'run-2', other.services)

      assert.deepEqual([first.epoch, second.epoch], [1, 2])
      const stopped = await prepare(kinds.upsert, 'run-1', first, 0, engine.harness.services)
      await assert.rejects(load(kinds.upsert, stopped, engine.harness.services), /epoch 2 has taken the target over/)
      await assert.rejects(commitRun(kinds.upsert, 'run-1', first, engine.harness.services), { name: 'Terminal' })
      await load(kinds.upsert, await prepare(kinds.upsert, 'run-2', second, 0, other.services), other.services)
      assert.equal((await commitRun(kinds.upsert, 'run-2', second, other.services)).inserted, 1)
    } finally {
      await other.close()
    }
  })

  test('another source is refused, for one run and for good, until it is accepted', async () => {
    await put(1)
    await run(kinds.upsert, 'run-1')
    const before = (await engine.harness.services.state.pipeline('items'))?.lastRun ?? ''
    await swap(source, others.source)
    await put(3)

    await assert.rejects(run(kinds.upsert, 'run-2'), {
      name: 'Terminal',
      message: /not the one that last_run .* nothing was read; .*state reset items --yes.*state set items '.*' --yes/,
    })

    await release('run-2')
    const known = await engine.harness.services.state.pipeline('items')
    await assert.rejects(startOfRun(kinds.upsert, null, known, engine.harness.services), { name: 'Terminal' })
    await seconds(before)
    assert.equal((await run(kinds.upsert, 'run-3')).read, 0)
    await setLastRun(kinds.upsert, null, engine.harness.services)
    await run(kinds.upsert, 'run-4')
    assert.deepEqual(await landed('upsert'), [1, 3])
  })

  test('a source is read again once it is bound as before', async () => {
    await put(1)
    await run(kinds.upsert, 'run-1')
    await swap(source, others.source)
    await assert.rejects(run(kinds.upsert, 'run-2'), { name: 'Terminal' })
    await release('run-2')
    await swap(source, others.source)
    await put(2)
    await seconds('2024-01-01 00:00:02.000000')

    assert.equal((await run(kinds.upsert, 'run-3')).read, 1)
  })

  test('a last_run from before sources were kept adopts the one that is bound', async () => {
    await put(1)
    await run(kinds.upsert, 'run-1')
    const { state } = engine.harness.services
    const { lastRun } = (await state.pipeline('items')) ?? {}
    await state.setLastRun('items', lastRun ?? '', Date.now())
    await swap(source, others.source)

    await run(kinds.upsert, 'run-2')

    await swap(source, others.source)
    await assert.rejects(run(kinds.upsert, 'run-3'), { name: 'Terminal' })
  })

  test('last_run is not set where the target cannot be reached', async () => {
    await put(1)
    await run(kinds.upsert, 'run-1')
    const { state } = engine.harness.services
    const before = await state.pipeline('items')
    const variable = urlVariable(target.name)
    const url = process.env[variable] ?? ''
    await target.close()
    process.env[variable] = url.startsWith('sqlite:') ? 'sqlite:/nowhere/x.db' : url.replace(/:\d+\//, ':1/')

    await assert.rejects(
      seconds('2024-01-01 00:00:00.000000'),
      /its source known-source and its target known-target, .* left as it is/,
    )

    assert.deepEqual(await state.pipeline('items'), before)
    process.env[variable] = url
    await target.close()
  })

  test('last_run is not set, and no mark, while a run has the lease', async () => {
    await put(1)
    await run(kinds.upsert, 'run-1')
    await planRun(kinds.upsert, 'run-2', engine.harness.services)
    const marks = async () => (await target.query('select mark, run_id from dray_fence')).rows

    const before = await marks()
    await assert.rejects(seconds('2024-01-01 00:00:00.000000'), { name: 'LeaseHeld' })

    assert.deepEqual(await marks(), before)
  })

  const of = (name: string, load: Pipeline['load'], deletes: 'ignore' | 'hard' = 'ignore') =>
    pipeline(name, { extract: fullLoad(Item), transform: transform as never, load, deletes }) as unknown as Pipeline
  const upserting = upsert(Product, { by: 'id' }) as unknown as Pipeline['load']
  const replacing = replace(Product) as unknown as Pipeline['load']

  for (const [what, first, second] of [
    ['both delete', of('eu', upserting, 'hard'), of('us', upserting, 'hard')],
    ['the first one replaces', of('eu', replacing), of('us', upserting)],
    ['the second one replaces', of('eu', upserting), of('us', replacing)],
  ] as const) {
    test(`two pipelines of one table where ${what}: the second is refused, and runs by the remedy`, async () => {
      await put(1)
      await run(first, 'run-1')

      const refused = run(second, 'run-2')

      const message = await refused.then(String, (error: Error) => error.message)
      assert.match(message, /^us: the pipeline eu writes known-target\.product, too, and (us|eu) .* nothing was read/)
      assert.equal((await run(first, 'run-3')).read, 1)
      await engine.harness.services.state.releaseLease('us', 'run-2')
      await target.query(/delete from dray_fence [^;]*/.exec(message)?.[0] ?? '')
      assert.equal((await run(second, 'run-4')).read, 1)
    })
  }

  test('upserts share a table', async () => {
    await put(1)
    await run(of('eu', upserting), 'run-1')

    assert.equal((await run(of('us', upserting), 'run-2')).unchanged, 1)
  })
})
