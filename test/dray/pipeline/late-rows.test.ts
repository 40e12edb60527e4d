import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { onEachEngine } from './engines.ts'
import { planRun, runPipeline } from './harness.ts'

const source = database('late-source')
const target = database('late-target')

class SourceReading extends source.table('readings', {
  id: bigint().primaryKey(),
  device: varchar(20).nullable(),
  label: text().nullable(),
  measuredAt: timestamp().nullable(),
}) {}
class TargetReading extends target.table('readings', {
  id: bigint().primaryKey(),
  label: text().nullable(),
  measuredAt: timestamp().nullable(),
}) {}
class TargetDevice extends target.table('devices', {
  device: varchar(20).primaryKey(),
  measuredAt: timestamp().nullable(),
}) {}
const models = [SourceReading, TargetReading, TargetDevice] as unknown as ModelClass[]

const readings = pipeline('readings', {
  extract: changedSince(SourceReading, { cursor: 'measuredAt', lateRows: 'byKey' }),
  transform: ({ id, label, measuredAt }) => ({ id, label, measuredAt }),
  load: upsert(TargetReading, { by: 'id' }),
}) as unknown as Pipeline
const byStamp = pipeline('readings', {
  extract: changedSince(SourceReading, { cursor: 'measuredAt' }),
  transform: ({ id, label, measuredAt }) => ({ id, label, measuredAt }),
  load: upsert(TargetReading, { by: 'id' }),
}) as unknown as Pipeline
const devices = (version: { version?: 'measuredAt' }) =>
  pipeline('devices', {
    extract: changedSince(SourceReading, { cursor: 'measuredAt', lateRows: 'byKey' }),
    transform: ({ device, measuredAt }) => ({ device: device ?? '', measuredAt }),
    load: upsert(TargetDevice, { by: 'device', ...version }),
  }) as unknown as Pipeline

const at = (day: number) => timestampOf(`2024-01-${String(day).padStart(2, '0')} 10:00:00`)
const OLD = timestampOf('2020-01-01 00:00:00')

test('late rows are told by one integer key, beside a time stamp, and never appended', () => {
  class Coded extends source.source('coded', { code: text().primaryKey(), n: bigint(), at: timestamp() }) {}
  class Log extends target.table('log', { id: bigint().primaryKey() }) {}
  assert.throws(
    () => changedSince(Coded, { cursor: 'at', lateRows: 'byKey' }),
    /one integer and grows, which this one is not/,
  )
  assert.throws(() => changedSince(Coded, { cursor: 'n', lateRows: 'byKey' }), /lateRows is for time stamps/)
  assert.throws(
    () =>
      pipeline('log', {
        extract: changedSince(SourceReading, { cursor: 'measuredAt', lateRows: 'byKey' }),
        transform: ({ id }) => ({ id }),
        load: append(Log),
      }),
    /append\(\) would insert it each time/,
  )
})

onEachEngine('late rows', [source, target], (engine) => {
  const { dialect } = engine
  const services = () => engine.harness.services
  const begin = async () => {
    for (const model of models) await model.createTable()
    await SourceReading.insertAll([
      { id: 1n, label: 'a', device: 'x', measuredAt: at(1) },
      { id: 2n, label: 'b', device: 'y', measuredAt: at(2) },
    ])
  }
  const write = (id: bigint, label: string, measuredAt: string | null, device = 'x') =>
    SourceReading.insertAll([{ id, label, device, measuredAt: measuredAt as never }])
  const run = (of: Pipeline, id: string) => runPipeline(of, id, services())
  const loaded = async () => (await TargetReading.all().order('id').toArray()).map(({ id }) => Number(id))
  const notesOf = async (id: string) => (await services().state.run(id))?.steps[0]?.notes ?? []
  const seen = async () => (await services().state.pipeline('readings'))?.source?.keysUntil

  test('a row that comes with an old stamp is read by its key, once, and the run says so', async () => {
    await begin()
    await run(readings, 'run-1')
    await write(3n, 'imported', OLD)
    await write(4n, 'of now', timestampOf('2024-02-01 00:00:00'))
    await setLastRun(readings, '2024-01-15 00:00:00.000000', services())
    const { rows } = await preview(
      readings,
      { limit: 10, lastRun: '2024-01-15 00:00:00.000000', seen: { keysUntil: '3' } },
      services(),
    )

    const { read } = await run(readings, 'run-2')
    const { read: again } = await run(readings, 'run-3')

    assert.deepEqual(
      rows.map(({ source: row }) => row.id),
      ['3', '4'],
    )
    assert.deepEqual([read, again], [2, 0])
    assert.deepEqual(await loaded(), [1, 2, 3, 4])
    assert.ok(
      (await notesOf('run-2')).includes(
        '1 row of late-source.readings came with a stamp before the window, and is read by the key, from 3 on',
      ),
    )
    assert.equal(await seen(), '5')
  })

  test('without lateRows it is not read; with them from now on, what was there is taken over', async () => {
    await begin()
    await run(byStamp, 'run-1')
    await write(3n, 'imported', OLD)
    await run(byStamp, 'run-2')
    await run(readings, 'run-3')
    await write(4n, 'imported later', OLD)
    await run(readings, 'run-4')

    assert.deepEqual(await loaded(), [1, 2, 4])
    const { counts, leftOut } = await reconcile(readings, services())
    await write(5n, 'imported at last', OLD)
    const later = await reconcile(readings, services())
    assert.deepEqual([counts.missing, leftOut.pending], [1, 0])
    assert.deepEqual([later.counts.missing, later.leftOut.pending], [1, 1])
  })

  test('a run that fails has seen no key', async () => {
    await begin()
    await run(readings, 'run-1')
    await write(3n, 'imported', OLD)
    await planRun(readings, 'run-2', services())
    await services().state.releaseLease('readings', 'run-2')

    await run(readings, 'run-3')

    assert.deepEqual(await loaded(), [1, 2, 3])
  })

  test('one that is committed late is read when its transaction has ended', {
    skip: dialect === 'sqlite',
  }, async () => {
    await begin()
    await run(readings, 'run-1')
    const ended = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const late = source.transaction(async () => {
      await write(3n, 'committed last', OLD)
      begun.resolve()
      await ended.promise
    })
    await begun.promise
    await write(4n, 'imported', OLD)
    await run(readings, 'run-2')
    const held = await loaded()
    ended.resolve()
    await late
    await run(readings, 'run-3')

    assert.deepEqual(held, [1, 2])
    assert.deepEqual(await loaded(), [1, 2, 3, 4])
  })

  test('rows of another key in the target need a version, which keeps an older one back', async () => {
    await begin()
    await run(devices({ version: 'measuredAt' }), 'run-1')
    await write(3n, 'late', OLD, 'x')
    await write(4n, 'new device', OLD, 'z')
    await run(devices({ version: 'measuredAt' }), 'run-2')
    const found = (await TargetDevice.all().order('device').toArray()).map((one) => [one.device, one.measuredAt])
    await write(5n, 'late', OLD, 'x')

    await assert.rejects(run(devices({}), 'run-3'), /lateRows reads rows with older stamps.*Give the load a version/)

    assert.deepEqual(found, [
      ['x', at(1)],
      ['y', at(2)],
      ['z', OLD],
    ])
  })

  test('rows without a stamp stay what nulls says of them', async () => {
    await begin()
    const excluding = {
      ...readings,
      extract: { ...readings.extract, cursor: { ...readings.extract.cursor, nulls: 'exclude' } },
    } as Pipeline
    await run(excluding, 'run-1')
    await write(3n, 'no stamp', null)
    await write(4n, 'old', OLD)

    await run(excluding, 'run-2')

    assert.deepEqual(await loaded(), [1, 2, 4])
  })
})
