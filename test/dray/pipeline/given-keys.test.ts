import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { binary, double, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline, type RowContext } from 'dray/internal/pipeline/declare/pipeline.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline } from './harness.ts'

const source = database('given-keys-source')
const target = database('given-keys-target')

const BYTES = { postgres: 'bytea', mysql: 'varbinary(20)', sqlite: 'blob' }
const SINGLE = { postgres: 'real', mysql: 'float', sqlite: 'real' }
const MOMENT = { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'text' }

const content = { label: text().nullable() }
class Code extends source.table('code', { k: binary().primaryKey(), ...content }) {}
class CodeCopy extends target.table('copy', { k: binary().primaryKey(), ...content }) {}
class Measure extends source.table('code', { k: double().primaryKey(), ...content }) {}
class MeasureCopy extends target.table('copy', { k: double().primaryKey(), ...content }) {}
const span = { validFrom: timestamp(), validTo: timestamp().nullable() }
class CodeVersion extends target.table('version', { k: binary(), ...content, ...span }) {}
class MeasureVersion extends target.table('version', { k: double(), ...content, ...span }) {}

/** Keys that are not what their text says: bytes in hexadecimal, a float of single precision. */
const KINDS = {
  bytes: {
    models: [Code, CodeCopy, CodeVersion],
    types: BYTES,
    literals: { postgres: ["'\\x0061'", "'\\xff62'"], mysql: ["x'0061'", "x'ff62'"], sqlite: ["x'0061'", "x'ff62'"] },
    given: { postgres: '\\xff62', mysql: '\\xff62', sqlite: '\\xff62' },
  },
  'single precision': {
    models: [Measure, MeasureCopy, MeasureVersion],
    types: SINGLE,
    literals: { postgres: ['0.1', '0.7'], mysql: ['0.1', '0.7'], sqlite: ['0.1', '0.7'] },
    // MySQL compares a FLOAT as the DOUBLE that it is.
    given: { postgres: '0.7', mysql: String(Math.fround(0.7)), sqlite: '0.7' },
  },
} as const

onEachEngine('rows of given keys', [source, target], (engine) => {
  for (const [what, { models, types, literals, given }] of Object.entries(KINDS)) {
    const [From, Into, Versions] = models as readonly unknown[] as [typeof Code, typeof CodeCopy, typeof CodeVersion]

    const transformOf = (isMended: boolean) => (row: Code, context: RowContext) => {
      if (row.label === 'skip') return null
      if (row.label === 'bad' && !isMended) return context.reject('label', 'bad')
      return { k: row.k, label: row.label }
    }
    const loadingOf = (isMended: boolean): Pipeline =>
      pipeline('codes', {
        extract: fullLoad(From),
        transform: transformOf(isMended),
        load: upsert(Into, { by: 'k' }),
        deletes: { hard: true, most: 1 },
      }) as unknown as Pipeline
    const versionsOf = (isMended: boolean): Pipeline =>
      pipeline('codes', {
        extract: fullLoad(From),
        transform: transformOf(isMended),
        load: history(Versions, { by: 'k', validFrom: 'validFrom', validTo: 'validTo' }),
      }) as unknown as Pipeline
    const run = (of: Pipeline, id: string, mode: RunMode | null = null) =>
      runPipeline(of, id, engine.harness.services, mode)
    const literal = (place: number) => literals[engine.dialect][place]
    const labels = async () => (await Into.all().toArray()).map(({ label }) => label).sort()

    describe(`of ${what}`, () => {
      beforeEach(async () => {
        const key = types[engine.dialect]
        const moment = MOMENT[engine.dialect]
        await source.query(`create table code (k ${key} primary key, label text)`)
        await target.query(`create table copy (k ${key} primary key, label text)`)
        await target.query(
          `create table version (k ${key} not null, label text, valid_from ${moment} not null, valid_to ${moment}, primary key (k, valid_from))`,
        )
        for (const place of [0, 1]) {
          await source.query(`insert into code values (${literal(place)}, '${place === 0 ? 'bad' : 'good'}')`)
        }
      })

      test('are read again from the source by a replay', async () => {
        await run(loadingOf(false), 'run-1')
        const kept = await quarantined(engine.harness, 'run-1', 'codes')

        const replayed = await run(loadingOf(true), 'run-2', { replay: {} })

        assert.equal(kept.length, 1)
        assert.deepEqual([replayed.read, replayed.inserted], [1, 1])
        assert.deepEqual(await labels(), ['bad', 'good'])
      })

      test('begin a version by a replay, and none by the run after it', async () => {
        await run(versionsOf(false), 'run-1')

        const replayed = await run(versionsOf(true), 'run-2', { replay: {} })
        const again = await run(versionsOf(true), 'run-3')

        assert.deepEqual([replayed.read, replayed.inserted], [1, 1])
        assert.deepEqual([again.read, again.unchanged], [2, 2])
      })

      test('are loaded by a run of keys', async () => {
        const loaded = await run(loadingOf(true), 'run-1', { keys: [given[engine.dialect]] })

        assert.deepEqual([loaded.read, loaded.inserted], [1, 1])
        assert.deepEqual(await labels(), ['good'])
      })

      test('keep their row in the target while they are left out', async () => {
        await run(loadingOf(true), 'run-1')
        await source.query(`update code set label = 'skip' where k > ${literal(0)}`)

        await run(loadingOf(true), 'run-2')

        assert.deepEqual(await labels(), ['bad', 'good'])
      })
    })
  }
})
