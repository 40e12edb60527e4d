import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { loadKeys } from 'dray/internal/messages/run-mode.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { examineSource } from 'dray/internal/pipeline/inspect/examine-source.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { onEachEngine } from './engines.ts'
import { planRun, prepare, quarantined, runPipeline } from './harness.ts'

const source = database('keys-source')
const target = database('keys-target')

class TargetLine extends target.table('order_line', {
  orderId: bigint().primaryKey(),
  line: bigint().primaryKey(),
  product: text(),
  updatedAt: timestamp(),
}) {}

class OrderLine extends source.source('order_lines', {
  orderId: bigint().primaryKey(), // a view has no key: these fields are one because the model says so
  line: bigint().primaryKey(),
  product: text(),
  updatedAt: timestamp(),
}) {}

const orderLines = pipeline('order-lines', {
  extract: fullLoad(OrderLine),
  transform: ({ ...line }) => line,
  load: upsert(TargetLine, { by: ['orderId', 'line'] }),
  deletes: 'hard',
})

const inParts = pipeline('order-lines', {
  extract: fullLoad(OrderLine, { partitionRows: 2 }),
  transform: ({ ...line }: OrderLine) => line,
  load: upsert(TargetLine, { by: ['orderId', 'line'] }),
  deletes: 'hard',
})

const changed = pipeline('order-lines', {
  extract: changedSince(OrderLine, { cursor: 'updatedAt' }),
  transform: ({ ...line }: OrderLine) => line,
  load: upsert(TargetLine, { by: ['orderId', 'line'] }),
})

class LineEvent extends target.table('line_event', { orderId: bigint(), line: bigint(), product: text() }) {}

/** Keys of these models are unique indexes of their tables. */
class Coded extends source.source('coded', { code: bigint().primaryKey(), label: text().nullable() }) {}
class TargetCoded extends target.table('coded', { code: bigint().primaryKey(), label: text().nullable() }) {}

onEachEngine('a key that the model declares', [source, target], (engine) => {
  const stamp = (day: string) => `'${day} 00:00:00${engine.dialect === 'postgres' ? '+00' : ''}'`

  beforeEach(async () => {
    for (const model of [TargetLine, TargetCoded, LineEvent] as unknown as ModelClass[]) await model.createTable()
    const moment = { postgres: 'timestamptz', mysql: 'datetime(6)', sqlite: 'text' }[engine.dialect]
    await source.query(`create table orders (id bigint not null primary key, updated_at ${moment} not null)`)
    await source.query(
      'create table parts (order_id bigint, line bigint, product varchar(40) not null, is_open integer not null default 1)',
    )
    await source.query(
      'create view order_lines as select l.order_id, l.line, l.product, o.updated_at from parts l join orders o on o.id = l.order_id where l.is_open = 1',
    )
    for (const id of [1, 2, 3]) await put(id)
  })

  async function put(id: number): Promise<void> {
    await source.query(`insert into orders (id, updated_at) values (${id}, ${stamp(`2024-01-0${id}`)})`)
    for (const line of [1, 2]) await putLine(id, line, `p${id}.${line}`)
  }

  async function putLine(id: number, line: number | null, product: string): Promise<void> {
    await source.query(`insert into parts (order_id, line, product) values (${id}, ${line}, '${product}')`)
  }

  async function landed(): Promise<string[]> {
    const { rows } = await target.query('select order_id, line, product from order_line order by 1, 2')
    return rows.map((row) => row.join('/'))
  }

  async function due(): Promise<string[]> {
    const { rows } = await source.query('select order_id, line, product from order_lines order by 1, 2')
    return rows.map((row) => row.join('/'))
  }

  async function refused(work: Promise<unknown>): Promise<string> {
    const error = await work.then(
      () => new Error('it was not refused'),
      (thrown: Error) => thrown,
    )
    assert.equal(error.name, 'Terminal', error.message)
    return error.message
  }

  // biome-ignore lint/suspicious/noExplicitAny: a pipeline of any models.
  async function keysSaid(of: Pipeline<any, any>): Promise<string[]> {
    const checks = await examineSource(of)
    return checks.filter(({ check }) => check === 'key').map(({ verdict, said }) => `${verdict} ${said}`)
  }

  for (const [what, of] of [
    ['at once', orderLines],
    ['in partitions', inParts],
  ] as const) {
    test(`a view is loaded, updated and deleted by it, ${what}`, async () => {
      const { services } = engine.harness
      await runPipeline(of, 'run-1', services)
      assert.deepEqual(await landed(), await due())
      await source.query(`update parts set product = 'new' where order_id = 2 and line = 1`)
      await source.query('update parts set is_open = 0 where order_id = 3')
      await putLine(1, 3, 'third')

      await runPipeline(of, 'run-2', services)

      assert.deepEqual(await landed(), ['1/1/p1.1', '1/2/p1.2', '1/3/third', '2/1/new', '2/2/p2.2'])
    })
  }

  test('a view is reconciled by it, and single keys are loaded', async () => {
    const { services } = engine.harness
    await runPipeline(inParts, 'run-1', services)
    await target.query(`update order_line set product = 'wrong' where order_id = 2 and line = 2`)
    await target.query('delete from order_line where order_id = 1 and line = 1')

    const { differences } = await reconcile(inParts, services)
    assert.deepEqual(
      differences.map(({ kind, key }) => [kind, key.order_id, key.line]),
      [
        ['missing', '1', '1'],
        ['different', '2', '2'],
      ],
    )
    const keys = differences.map(({ sourceKey }) => sourceKey as string[])
    await runPipeline(inParts, 'run-2', services, loadKeys(keys))

    assert.deepEqual(await landed(), await due())
  })

  test('a view is read by what has changed, and the newest row of a key counts', async () => {
    const { services } = engine.harness
    await putLine(3, 1, 'p3.1')
    await runPipeline(changed, 'run-1', services)

    assert.deepEqual(await landed(), [...new Set(await due())])
    const notes = (await services.state.run('run-1'))?.steps[0]?.notes ?? []
    assert.ok(
      notes.some((note) =>
        /^1 rows of keys-source\.order_lines have the key of another row.*primaryKey\(\) of more fields$/.test(note),
      ),
      notes.join('\n'),
    )
  })

  for (const [what, of] of [
    ['a full load', orderLines],
    ['rows of one cursor', changed],
    [
      'a replacement',
      pipeline('order-lines', {
        extract: fullLoad(OrderLine),
        transform: ({ ...line }: OrderLine) => line,
        load: replace(TargetLine),
      }),
    ],
  ] as const) {
    test(`two rows of one key that differ stop the run at Plan, of ${what}`, async () => {
      await putLine(3, 1, 'other')
      await putLine(2, 1, 'p2.1')

      const refusal = await refused(runPipeline(of, 'run-1', engine.harness.services))

      const moment = of === changed ? ' of one updated_at' : ''
      const [said = '', list = ''] = refusal.split('; the keys are listed by ')
      assert.equal(
        said,
        `order-lines: 2 keys (order_id, line) of keys-source.order_lines have several rows${moment}, and no index of the source holds to the key which its model declares. Rows of (3, 1) differ, and nothing says which of them is the newer one, so one would be lost in keys-target.order_line, and nothing was read; make the key whole (primaryKey() of more fields, or another view), or give the load a version`,
      )
      const { rows } = await source.query(list)
      assert.deepEqual(rows.toSorted(), [
        ['2', '1', '2'],
        ['3', '1', '2'],
      ])
      assert.deepEqual(await landed(), [])
    })

    test(`two rows of one key that come after Plan stop the run at Load, of ${what}`, async () => {
      const { services } = engine.harness
      const planned = await planRun(of, 'run-1', services)
      await putLine(3, 1, 'other')
      const prepared = await prepare(of, 'run-1', planned, 0, services)

      await assert.rejects(load(of, prepared, services), {
        name: 'Terminal',
        message:
          'order-lines: several rows of keys-source.order_lines have the key order_id, line 3, 1, by which its model tells rows apart and no index of the source does, and nothing says which of them is the newer one, so one would be lost in keys-target.order_line, and nothing of their partition was written; make the key whole (primaryKey() of more fields, or another view), or give the load a version',
      })
      assert.deepEqual(await landed(), [])
    })
  }

  test('a backfill and a preview are refused for rows of one key in their window, and no other run is', async () => {
    const { services } = engine.harness
    await putLine(2, 1, 'other')
    const backfill = (from: string, to: string) => ({ backfill: { from, to, chunk: '1d' } }) as const
    const options = { limit: 10, lastRun: null }

    assert.match(await refused(preview(changed, options, services)), /^order-lines: 1 key \(order_id, line\)/)
    assert.match(
      await refused(planRun(changed, 'run-1', services, backfill('2024-01-01', '2024-01-03'))),
      /^order-lines: 1 key \(order_id, line\)/,
    )
    await services.state.releaseLease('order-lines', 'run-1')
    await runPipeline(changed, 'run-2', services, backfill('2024-01-03', '2024-01-04'))
    assert.deepEqual(await landed(), ['3/1/p3.1', '3/2/p3.2'])
  })

  test('the keys of many rows are compared as far as it is quick, and the run says so', async () => {
    for (let line = 10; line < 40; line++) for (const id of [1, 2]) await putLine(id, line, 'same')
    await source.query(`insert into parts (order_id, line, product) select order_id, line, product from parts`)

    const planned = await planRun(orderLines, 'run-1', engine.harness.services)

    assert.equal(planned.count, 1)
    const notes = (await engine.harness.services.state.run('run-1'))?.steps[0]?.notes ?? []
    assert.ok(
      notes.some((note) => /^66 keys \(order_id, line\) of .* several rows each, and those of 20 were/.test(note)),
      notes.join('\n'),
    )
  })

  test('rows of one key are each appended to a table without a key', async () => {
    await putLine(3, 1, 'other')
    const appending = pipeline('order-lines', {
      extract: fullLoad(OrderLine),
      transform: ({ orderId, line, product }: OrderLine) => ({ orderId, line, product }),
      load: append(LineEvent),
    })

    await runPipeline(appending, 'run-1', engine.harness.services)

    const { rows } = await target.query('select product from line_event where order_id = 3 and line = 1 order by 1')
    assert.deepEqual(rows, [['other'], ['p3.1']])
  })

  test('a row with NULL in it is quarantined in each run, and the others land', async () => {
    await putLine(3, null, 'nobody')
    const { services } = engine.harness

    for (const run of ['run-1', 'run-2']) await runPipeline(inParts, run, services)

    assert.equal((await landed()).length, 6)
    assert.equal((await quarantined(engine.harness, 'run-1', 'order-lines')).length, 1)
    assert.equal((await quarantined(engine.harness, 'run-2', 'order-lines')).length, 1)
    const notes = (await services.state.run('run-2'))?.steps[0]?.notes ?? []
    const note = notes.find((one) => one.includes('NULL in the key')) ?? ''
    const [said = '', list = ''] = note.split('; they are listed by ')
    assert.match(said, /^1 row of keys-source\.order_lines has NULL in the key \(order_id, line\)/)
    assert.equal((await source.query(list)).rows.length, 1)
  })

  test('doctor counts the keys that rows share, and those with NULL', async () => {
    assert.deepEqual(
      (await examineSource(orderLines)).filter(({ check }) => check === 'key'),
      [],
    )
    await putLine(3, 1, 'p3.1')
    await putLine(3, null, 'nobody')

    const said = await keysSaid(orderLines)

    assert.equal(said.length, 2)
    assert.match(said[0] ?? '', /^warning 1 keys \(order_id, line\) of keys-source\.order_lines have several rows each/)
    assert.match(said[1] ?? '', /^warning 1 row of keys-source\.order_lines has NULL in the key/)
  })

  test('doctor says that rows of one key stop the next run where it reads all of them', async () => {
    await putLine(3, 1, 'other')

    const [whole, ...others] = await keysSaid(orderLines)

    assert.match(whole ?? '', /^broken order-lines: 1 key \(order_id, line\) .* so one would be lost/)
    assert.deepEqual(others, [])
    assert.match((await keysSaid(changed))[0] ?? '', /^warning 1 keys .* the run stops/)
  })

  test('a table without a primary key is loaded by a unique index over columns that are filled', async () => {
    const { services } = engine.harness
    const coded = pipeline('coded', {
      extract: fullLoad(Coded, { partitionRows: 2 }),
      transform: ({ code, label }: Coded) => ({ code, label }),
      load: upsert(TargetCoded, { by: 'code' }),
      deletes: 'hard',
    })
    await source.query('create table coded (label varchar(40), code bigint not null)')
    await source.query('create unique index coded_code on coded (code)')
    await source.query("insert into coded values ('a', 1), ('b', 2), ('c', 3), ('d', 4), ('e', 5)")
    await runPipeline(coded, 'run-1', services)
    await source.query('delete from coded where code = 2')
    await source.query("update coded set label = 'new' where code = 4")

    await runPipeline(coded, 'run-2', services)

    const { rows } = await target.query('select code, label from coded order by code')
    assert.deepEqual(rows, [
      ['1', 'a'],
      ['3', 'c'],
      ['4', 'new'],
      ['5', 'e'],
    ])
    assert.deepEqual((await reconcile(coded, services)).differences, [])
    assert.deepEqual(
      (await examineSource(coded)).filter(({ verdict }) => verdict !== 'ok'),
      [],
    )
  })
})
