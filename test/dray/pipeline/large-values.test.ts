import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, binary, json, text } from 'dray/internal/active-record/field-kinds.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { RowLimits } from 'dray/internal/pipeline/declare/row-limits.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline } from './harness.ts'

const source = database('large-source')
const target = database('large-target')

const fields = {
  id: bigint().primaryKey(),
  title: text().nullable(),
  body: text().nullable(),
  data: json().nullable(),
  file: binary().nullable(),
}
class Document extends source.table('document', fields) {}
const NAMES = { id: 'id', title: 'title', body: 'body', data: 'data', file: 'file' } as const
class Copy extends target.table('copy', fields) {}

const documents = (limits: Partial<RowLimits>) =>
  pipeline('documents', {
    extract: fullLoad(Document),
    transform: ({ id, title, body, data, file }) => ({ id, title, body, data, file }),
    load: upsert(Copy, { by: 'id' }),
    limits,
  })

describe('limits of a row', () => {
  test('are 8 MiB a value and 16 MiB a row, unless the pipeline says others', () => {
    assert.deepEqual(documents({}).limits, { valueBytes: 8_388_608, rowBytes: 16_777_216 })
    assert.deepEqual(documents({ valueBytes: 50_000_000 }).limits, { valueBytes: 50_000_000, rowBytes: 50_000_000 })
  })

  test('are refused where no row could be within them, or no process hold it', () => {
    assert.throws(() => documents({ valueBytes: 2000, rowBytes: 1000 }), /rowBytes as large at least/)
    assert.throws(() => documents({ valueBytes: 0 }), /limits\.valueBytes is 0/)
    assert.throws(() => documents({ rowBytes: 1024 ** 3 }), /limits\.rowBytes is 1073741824/)
  })
})

onEachEngine('a row beyond the limits', [source, target], (engine) => {
  const LIMITS = { valueBytes: 300, rowBytes: 800 }
  const none = { title: null, body: null, data: null, file: null }

  async function prepare(): Promise<void> {
    await Document.createTable()
    await Copy.createTable()
  }
  const put = (rows: readonly object[]) =>
    Document.upsertAll(rows.map((row) => ({ ...none, ...row })) as never, { by: 'id' })
  const loaded = async () => (await Copy.all().order('id').toArray()).map(({ id }) => Number(id))

  test('goes to the quarantine as its key, what fits and the length of what does not; the others land', async () => {
    await prepare()
    await put([
      { id: 1n, title: 'short', body: 'x' },
      { id: 2n, title: 'long text', body: 'é'.repeat(200) },
      { id: 3n, title: 'just fits', body: 'x'.repeat(300), file: Buffer.alloc(300, 7) },
      { id: 4n, title: 'long bytes', file: Buffer.alloc(301, 255) },
      { id: 5n, title: 'long document', data: JSON.stringify('d'.repeat(400)) },
      { id: 6n, title: 'x'.repeat(250), body: 'y\n\\'.repeat(90), data: '"z"', file: Buffer.alloc(300) },
      { id: 7n, title: 'last' },
    ])

    const run = await runPipeline(documents(LIMITS), 'run-1', engine.harness.services)

    assert.deepEqual([run.read, run.inserted, run.quarantined], [7, 3, 4])
    assert.deepEqual(await loaded(), [1, 3, 7])
    const kept = await quarantined(engine.harness, 'run-1', 'documents')
    const told = kept
      .map(({ row, errors }) => ({
        id: row.id,
        title: row.title,
        body: row.body,
        errors: errors.map(({ field, code, message }) => `${field} ${code} ${/\d+ bytes/.exec(message)?.[0]}`),
      }))
      .toSorted((one, other) => Number(one.id) - Number(other.id))
    assert.deepEqual(told, [
      { id: '2', title: 'long text', body: null, errors: ['body too_large 400 bytes'] },
      { id: '4', title: 'long bytes', body: null, errors: ['file too_large 301 bytes'] },
      { id: '5', title: 'long document', body: null, errors: ['data too_large 402 bytes'] },
      {
        id: '6',
        title: null,
        body: null,
        errors: ['title too_large 250 bytes', 'body too_large 270 bytes', 'file too_large 300 bytes'],
      },
    ])
    assert.match(kept[0]?.errors[0]?.message ?? '', /than the 300 that a value may have.*limits: \{ valueBytes/)
  })

  test('is read again by a replay, and lands once it is within the limits or the limits are larger', async () => {
    await prepare()
    const rows = [2n, 3n, 4n].map((id) => ({ id, body: 'x'.repeat(1000) }))
    await put([{ id: 1n }, ...rows])
    await runPipeline(documents(LIMITS), 'run-1', engine.harness.services)
    assert.deepEqual(await loaded(), [1])
    await put([{ id: 2n, body: 'mended' }])
    await source.query('delete from document where id = 4')

    const still = await runPipeline(documents(LIMITS), 'run-2', engine.harness.services, { replay: {} })
    const raised = await runPipeline(documents({}), 'run-3', engine.harness.services, { replay: {} })

    assert.deepEqual([still.read, still.inserted, still.quarantined], [2, 1, 1])
    assert.deepEqual([raised.read, raised.inserted], [1, 1])
    assert.deepEqual(await loaded(), [1, 2, 3])
    assert.equal((await Copy.find(3n)).body, 'x'.repeat(1000))
  })

  test('is shown by a preview and left out by a reconciliation without being read', async () => {
    await prepare()
    await put([{ id: 1n }, { id: 2n, body: 'x'.repeat(1000) }, { id: 3n }])
    const pipelines = [documents(LIMITS), { ...documents(LIMITS), transform: copyFields(Document, NAMES) }]
    await runPipeline(documents(LIMITS), 'run-1', engine.harness.services)
    await Copy.upsertAll([{ ...none, id: 3n, body: 'y'.repeat(5000) }], { by: 'id' })

    for (const one of pipelines) {
      const compared = await reconcile(one, engine.harness.services)

      assert.deepEqual(compared.counts, { missing: 0, extra: 0, different: 1 })
      assert.deepEqual(compared.differences[0]?.columns, ['body'])
      assert.deepEqual(compared.leftOut, { filtered: 0, deleted: 0, quarantined: 1, pending: 0 })
    }
    const { rows } = await preview(documents(LIMITS), { limit: 10, lastRun: null }, engine.harness.services)
    assert.deepEqual(
      rows.map(({ outcome, source, errors }) => [outcome, source.id, source.body, errors[0]?.code]),
      [
        ['loaded', '1', null, undefined],
        ['quarantined', '2', null, 'too_large'],
        ['loaded', '3', null, undefined],
      ],
    )
  })

  test('that only the transform makes of a row goes to the quarantine, too, and lands by a replay', async () => {
    await prepare()
    await put([{ id: 1n, body: 'x'.repeat(10) }, { id: 2n }])
    const growing = (times: number) => ({
      ...documents(LIMITS),
      transform: ({ id, body }: Document) => ({ ...none, id, body: body?.repeat(times) ?? null }),
    })

    const run = await runPipeline(growing(1000), 'run-1', engine.harness.services)
    const replay = await runPipeline(growing(2), 'run-2', engine.harness.services, { replay: {} })

    assert.deepEqual([run.read, run.inserted, run.quarantined], [2, 1, 1])
    const [kept] = await quarantined(engine.harness, 'run-1', 'documents')
    assert.deepEqual([kept?.row.body, kept?.errors[0]?.code], ['x'.repeat(10), 'too_large'])
    assert.deepEqual([replay.inserted, (await Copy.find(1n)).body], [1, 'x'.repeat(20)])
  })

  test('of 64 MiB is not held by any stage', async () => {
    await prepare()
    await put(Array.from({ length: 1000 }, (_, id) => ({ id: BigInt(id), body: 'x' })))
    const many = {
      sqlite: 'cast(zeroblob(67108864) as text)',
      postgres: "repeat('x', 67108864)",
      mysql: "repeat('x', 16777216)",
    }
    await source.query(`update document set body = ${many[engine.dialect]} where id = 500`)

    const run = await runPipeline(documents({}), 'run-1', engine.harness.services)

    assert.deepEqual([run.read, run.inserted, run.quarantined], [1000, 999, 1])
    const [kept] = await quarantined(engine.harness, 'run-1', 'documents')
    assert.deepEqual([kept?.row.id, kept?.row.body], ['500', null])
  })
})
