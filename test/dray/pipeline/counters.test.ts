import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, integer, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { changedSince, counter } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { draftRun } from 'dray/internal/pipeline/stages/draft-run.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { onEachEngine } from './engines.ts'
import { runPipeline } from './harness.ts'

const source = database('counter-source')
const target = database('counter-target')

class SourceEvent extends source.table('events', {
  id: bigint().primaryKey().generated(),
  version: integer().nullable(),
  label: text().nullable(),
  at: timestamp().nullable(),
}) {}
class TargetEvent extends target.table('events', { id: bigint(), label: text().nullable() }) {}
class TargetRow extends target.table('rows', { id: bigint().primaryKey(), label: text().nullable() }) {}
const models = [SourceEvent, TargetEvent, TargetRow] as unknown as ModelClass[]

const events = pipeline('events', {
  extract: changedSince(SourceEvent, { cursor: counter('id') }),
  transform: ({ id, label }) => ({ id, label }),
  load: append(TargetEvent),
}) as unknown as Pipeline
const rows = pipeline('rows', {
  extract: changedSince(SourceEvent, { cursor: 'version', nulls: 'exclude' }),
  transform: ({ id, label }) => ({ id, label }),
  load: upsert(TargetRow, { by: 'id' }),
}) as unknown as Pipeline

test('a counter is an integer of the model, and its overlap is a number', () => {
  class Stamped extends source.source('stamped', { id: bigint().primaryKey(), label: text(), at: timestamp() }) {}
  const cases: readonly [() => unknown, RegExp][] = [
    [() => changedSince(Stamped, { cursor: counter('label') }), /not an integer or bigint field/],
    [() => changedSince(Stamped, { cursor: counter('at') }), /not an integer or bigint field/],
    [() => changedSince(Stamped, { cursor: 'label' }), /neither a timestamp nor an integer field/],
    [() => changedSince(Stamped, { cursor: 'id', overlap: '1h' }), /how many numbers are read again/],
    [() => changedSince(Stamped, { cursor: 'at', overlap: 10 }), /has no unit/],
    [() => changedSince(Stamped, { cursor: 'id', lag: '1s' }), /takes no lag and no zone/],
  ]

  for (const [made, message] of cases) assert.throws(made, { name: 'Configuration', message })
  assert.throws(
    () =>
      pipeline('events', {
        extract: changedSince(SourceEvent, { cursor: 'id', overlap: 10 }),
        transform: ({ id, label }) => ({ id, label }),
        load: append(TargetEvent),
      }),
    /would insert them each time/,
  )
})

onEachEngine('counters', [source, target], (engine) => {
  const { dialect } = engine
  const services = () => engine.harness.services
  const begin = async (labels: readonly string[] = []) => {
    for (const model of models) await model.createTable()
    await write(...labels)
  }
  const write = async (...labels: readonly string[]) => {
    for (const label of labels) await source.query(`insert into events (label) values ('${label}')`, [])
  }
  const run = (of: Pipeline, id: string, mode: Parameters<typeof runPipeline>[3] = null) =>
    runPipeline(of, id, services(), mode)
  const refused = async (of: Pipeline, id: string, message: RegExp) => {
    await assert.rejects(run(of, id), { message })
    await services().state.releaseLease(of.name, id)
  }
  const loaded = async () => (await TargetEvent.all().order('id').toArray()).map(({ id }) => Number(id))
  const ids = async () => (await TargetRow.all().order('id').toArray()).map(({ id }) => Number(id))
  const lastRun = async (name: string) => (await services().state.pipeline(name))?.lastRun
  const notesOf = async (id: string) => (await services().state.run(id))?.steps[0]?.notes ?? []

  test('reads each row once, up to the greatest number that was there', async () => {
    await begin(['a', 'b'])

    await run(events, 'run-1')
    const first = [await loaded(), await lastRun('events')]
    await run(events, 'run-2')
    await write('c')
    await run(events, 'run-3')

    assert.deepEqual(first, [[1, 2], '3'])
    assert.deepEqual(await loaded(), [1, 2, 3])
    assert.equal(await lastRun('events'), '4')
  })

  test('an empty table has no window yet, and one that is emptied keeps its own', async () => {
    await begin()
    await run(events, 'run-1')
    await write('a', 'b')
    await run(events, 'run-2')
    await source.query('delete from events', [])
    await run(events, 'run-3')
    await source.query("insert into events (id, label) values (3, 'c')", [])
    await run(events, 'run-4')

    assert.deepEqual(await loaded(), [1, 2, 3])
  })

  test('rows that are committed late wait, and are read when their transaction has ended', {
    skip: dialect === 'sqlite',
  }, async () => {
    await begin(['a'])
    await run(events, 'run-1')
    const ended = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const late = source.transaction(async () => {
      await write('drawn first, committed last')
      begun.resolve()
      await ended.promise
    })
    await begun.promise
    await write('drawn later')

    await run(events, 'run-2')
    const held = [await loaded(), await lastRun('events')]
    const notes = await notesOf('run-2')
    await write('drawn even later')
    ended.resolve()
    await late
    await run(events, 'run-3')

    assert.deepEqual(held, [[1], '2'])
    assert.ok(notes.some((note) => /numbers from 2 on of counter-source\.events wait until a transaction/.test(note)))
    assert.deepEqual(await loaded(), [1, 2, 3, 4])
  })

  test('what an earlier run has seen is settled though others are open again', {
    skip: dialect === 'sqlite',
  }, async () => {
    await begin(['a'])
    const open = async () => {
      const ended = Promise.withResolvers<void>()
      const begun = Promise.withResolvers<void>()
      const done = source.transaction(async () => {
        await source.query('select count(*) from events', [])
        await write('open')
        begun.resolve()
        await ended.promise
      })
      await begun.promise
      return async () => {
        ended.resolve()
        await done
      }
    }
    const endFirst = await open()
    await write('b')
    await run(events, 'run-1')
    const first = await loaded()
    const endSecond = await new Promise((done) => setTimeout(done, 2_500)).then(open)
    await endFirst()

    await run(events, 'run-2')
    const second = await loaded()
    await endSecond()
    await run(events, 'run-3')

    assert.deepEqual(first, [])
    assert.deepEqual(second, [1, 2, 3])
    assert.deepEqual(await loaded(), [1, 2, 3, 4])
  })

  test('a counter that went back is refused, with what helps', async () => {
    await begin(['a', 'b', 'c', 'd', 'e'])
    await run(events, 'run-1')
    await SourceEvent.deleteAll()
    await source.query('drop table events', [])
    await SourceEvent.createTable()
    await write('x', 'y')
    await refused(events, 'run-anew', /made anew.*`npx dray state set events '6' --yes` takes/)
    await setLastRun(events, '6', services())

    await refused(
      events,
      'run-2',
      /the counter id has come to 2, and last_run is 6: .*state reset.*state set <pipeline> 3 /,
    )
    await setLastRun(events, '3', services())
    await write('z')
    await run(events, 'run-3')

    assert.deepEqual(await loaded(), [1, 2, 3, 3, 4, 5])
  })

  test('a last_run of another kind of cursor is refused', async () => {
    await begin(['a'])
    const stamped = pipeline('events', {
      extract: changedSince(SourceEvent, { cursor: 'at', nulls: 'exclude' }),
      transform: ({ id, label }) => ({ id, label }),
      load: append(TargetEvent),
    }) as unknown as Pipeline
    await run(events, 'run-1')
    await refused(stamped, 'run-other', /the cursor .* was id, counter at last_run and is at, timestamp now/)
    await setLastRun(stamped, '2', services())
    await refused(stamped, 'run-2', /last_run is 2, which is no time/)
    await setLastRun(events, '2', services())
    await setLastRun(events, '2024-01-01 00:00:00.000000', services())

    await refused(events, 'run-3', /last_run is 2024-01-01 00:00:00\.000000, which is no number/)
  })

  test('the number of a version moves with each change; rows without one are left, an overlap is read again', async () => {
    await begin(['a', 'b', 'c'])
    await source.query('update events set version = 10 + id where id < 3', [])
    await run(rows, 'run-1')
    const first = await ids()
    await source.query('update events set version = 20 where id = 1', [])
    const { read } = await run(rows, 'run-2')
    const again = pipeline('rows', {
      extract: changedSince(SourceEvent, { cursor: 'version', nulls: 'exclude', overlap: 100 }),
      transform: ({ id, label }) => ({ id, label }),
      load: upsert(TargetRow, { by: 'id' }),
    }) as unknown as Pipeline
    const { read: overlapping } = await run(again, 'run-3')

    assert.deepEqual([first, read, overlapping], [[1, 2], 1, 2])
    assert.equal(await lastRun('rows'), '21')
  })

  test('a backfill reads a range of numbers, in chunks; ids are said not to move with an update', async () => {
    await begin(['a', 'b', 'c', 'd', 'e', 'f'])
    const byId = pipeline('rows', {
      extract: changedSince(SourceEvent, { cursor: 'id' }),
      transform: ({ id, label }) => ({ id, label }),
      load: upsert(TargetRow, { by: 'id' }),
    }) as unknown as Pipeline
    const drafted = await draftRun(
      byId,
      { backfill: { from: '2', to: '6', chunk: '2' } },
      { id: 'plan', lastRun: null },
      services(),
    )
    await run(byId, 'run-1', { backfill: { from: '2', to: '100' } })
    const found = await ids()
    await run(byId, 'run-2')

    assert.deepEqual(
      drafted.partitions.map(({ window }) => window),
      [
        { lo: '2', hi: '4' },
        { lo: '4', hi: '6' },
      ],
    )
    assert.deepEqual(found, [2, 3, 4, 5, 6])
    assert.ok((await notesOf('run-2')).some((note) => /read by its key id, which an update does not move/.test(note)))
  })

  test('a sequence of which sessions keep numbers needs an overlap', { skip: dialect !== 'postgres' }, async () => {
    await begin(['a'])
    await source.query('alter sequence events_id_seq cache 20', [])

    await refused(
      events,
      'run-2',
      /sessions keep numbers of its sequence and use them later; `alter sequence … cache 1`, or .*overlap: 1000/,
    )
  })
})
