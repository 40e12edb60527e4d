import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  text,
  timestamp,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { AnyField } from 'dray/internal/active-record/fields.ts'
import type { FieldsOf, ModelClass } from 'dray/internal/active-record/model.ts'
import type { ConditionsOf } from 'dray/internal/active-record/relation.ts'
import { dateOf, decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { examinePipeline } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'
import { examineSource } from 'dray/internal/pipeline/inspect/examine-source.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { draftRun } from 'dray/internal/pipeline/stages/draft-run.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline } from './harness.ts'

const source = database('rows-source')
const target = database('rows-target')

class SourceOrder extends source.table('orders', {
  id: bigint().primaryKey(),
  status: varchar(20).nullable(),
  amount: decimal(30, 4).nullable(),
  pieces: integer().nullable(),
  weight: double().nullable(),
  isOpen: boolean().nullable(),
  day: date().nullable(),
  updatedAt: timestamp().nullable(),
  Größe: text().nullable().column('Größe "x"'),
  note: text().nullable(),
}) {}
class TargetOrder extends target.table('orders', {
  id: bigint().primaryKey(),
  status: varchar(20).nullable(),
  amount: decimal(30, 4).nullable(),
  deletedAt: timestamp().nullable(),
}) {}
const models = [SourceOrder, TargetOrder] as unknown as ModelClass[]

const paidOrders = pipeline('paid-orders', {
  extract: changedSince(SourceOrder, {
    cursor: 'updatedAt',
    where: { status: 'paid' },
    columns: ['id', 'status', 'amount'],
  }),
  transform: ({ id, status, amount }) => ({ id, status, amount }),
  load: upsert(TargetOrder, { by: 'id' }),
  deletes: 'hard',
})

type Where = ConditionsOf<FieldsOf<typeof SourceOrder>>
const reading = (where: Where) =>
  pipeline('orders', {
    extract: fullLoad(SourceOrder, { where, columns: ['status', 'amount'] }),
    transform: copyFields(SourceOrder, { id: 'id', status: 'status', amount: 'amount' }),
    load: upsert(TargetOrder, { by: 'id' }),
  }) as unknown as Pipeline

const PAST = timestampOf('2024-01-01 10:00:00')
const stamped = (id: bigint, status: string | null, more: object = {}) => ({ id, status, updatedAt: PAST, ...more })

test('the row of a transform has the fields that are read, those of the key and of the cursor, and no other', () => {
  pipeline('typed', {
    extract: changedSince(SourceOrder, { cursor: 'updatedAt', columns: ['status'] }),
    transform: (row) => {
      // @ts-expect-error it is not read
      void row.amount
      return { id: row.id, status: row.status, deletedAt: row.updatedAt }
    },
    load: upsert(TargetOrder, { by: 'id' }),
  })

  const { extract } = paidOrders

  assert.deepEqual(extract.source.definition.columnNames, ['id', 'status', 'amount', 'updated_at'])
})

test('refuses conditions whose values nothing holds against a field', () => {
  const where = (given: unknown) => () => fullLoad(SourceOrder, { where: given as Where })
  const refused: readonly [unknown, RegExp][] = [
    [{}, /it says nothing; give a field/],
    [{ status: undefined }, /undefined/],
    [{ status: [] }, /the list of status is empty, so no row would be read/],
    [{ state: 'paid' }, /has no field "state"/],
    [{ status: 0 }, /status/],
    [{ amount: 'much' }, /amount/],
    [{ amount: decimalOf('NaN') }, /amount is compared with NaN; write a number with all of its digits/],
    [["status = 'paid'"], /no placeholder/],
    [['status = ?', null], /compared with NULL, which is true of no row; write "is null"/],
    [['status = ?', 0], /status/],
    [['pieces > ?', 'many'], /many/],
    [['lower(status) = ?', 'paid'], /nothing says what its value is.*write column = \?, .*cast\(\? as …\)/],
    [['amount + pieces > ?', 5], /nothing says what its value is/],
    [['amount > ? + 1', 5], /nothing says what its value is/],
    [['updatedAt > ?', PAST], /names the property updatedAt, and SQL names columns; write updated_at/],
    [['pieces = ? or 1 = 1) or (1 = 1', 1], /not one expression/],
    [['status = ? or note = "x"', 'y'], /"x" is no column of orders .*a text in single quotes/],
    [['pieces = ? and random() < 0.5', 1], /chooses rows by chance \(random\).*choose them by what they hold/],
  ]

  for (const [given, message] of refused) assert.throws(where(given), { name: 'Configuration', message }, String(given))
  class Document extends source.source('documents', { id: bigint().primaryKey(), body: json() }) {}
  assert.throws(() => fullLoad(Document, { where: { body: '{}' as never } }), /a JSON document/)
  assert.throws(() => fullLoad(SourceOrder, { columns: [] }), /names no field/)
  assert.throws(() => fullLoad(SourceOrder, { columns: ['state' as never] }), /has no field "state"/)
})

test('refuses to copy fields that are not read', () => {
  const made = () =>
    pipeline('orders', {
      extract: fullLoad(SourceOrder, { columns: ['amount'] }),
      // @ts-expect-error it is not read
      transform: copyFields(SourceOrder, { id: 'id', status: 'status' }),
      load: upsert(TargetOrder, { by: 'id' }),
    })

  assert.throws(made, /copyFields\(\) takes over status, which is not among the columns that are read/)
})

test('refuses deletes by a key that is not read', () => {
  const extract = fullLoad(SourceOrder, { columns: ['amount'] })
  assert.throws(
    () =>
      pipeline('orders', {
        extract,
        transform: ({ id }) => ({ id }),
        load: upsert(TargetOrder, { by: 'id' }),
        deletes: { hard: true, key: 'status' as never },
      }),
    /is not among the columns that are read; add it to columns/,
  )
})

test('refuses a flag of deleted rows that where leaves out', () => {
  const flagged = (where: Where) => () =>
    pipeline('orders', {
      extract: fullLoad(SourceOrder, { where }),
      transform: ({ id }) => ({ id }),
      load: upsert(TargetOrder, { by: 'id' }),
      deletes: { flag: 'isOpen' },
    })

  for (const where of [{ isOpen: null }, { isOpen: false }, ['is_open is null and pieces > ?', 1]] as Where[])
    assert.throws(flagged(where), { name: 'Configuration', message: /a row that is marked would not be read.*leave/ })
  flagged(['is_open is null or pieces > ?', 1])()
  flagged({ pieces: 1 })()
})

onEachEngine('rows and columns', [source, target], (engine) => {
  const { dialect } = engine
  const services = () => engine.harness.services
  const begin = async (rows: readonly object[]) => {
    for (const model of models) await model.createTable()
    await SourceOrder.insertAll(rows as never)
  }
  const run = (of: Pipeline, id: string, mode: Parameters<typeof runPipeline>[3] = null) =>
    runPipeline(of, id, services(), mode)
  const ids = async () => (await TargetOrder.all().order('id').toArray()).map(({ id }) => Number(id))
  const paid = paidOrders as unknown as Pipeline

  test('loads the rows that are chosen, and those that leave the filter go as if they were gone', async () => {
    await begin([
      stamped(1n, 'paid', { amount: decimalOf('1.5') }),
      stamped(2n, 'open'),
      stamped(3n, null),
      stamped(4n, 'paid'),
    ])
    await run(paid, 'run-1')
    const first = await ids()
    await source.query("update orders set status = 'open', updated_at = '2024-01-02 00:00:00' where id = 1", [])
    await source.query("update orders set status = 'paid', updated_at = '2024-01-02 00:00:00' where id = 2", [])
    await setLastRun(paid, '2024-01-01 12:00:00.000000', services())

    await run(paid, 'run-2')

    assert.deepEqual(first, [1, 4])
    assert.deepEqual(await ids(), [2, 4])
  })

  test('compares values as their fields do, in whatever form they are written', async () => {
    const big = '12345678901234567890.0001'
    await begin([
      stamped(1n, 'paid', { amount: decimalOf('9'), pieces: 9, weight: 0.5, isOpen: true, day: dateOf('2024-01-09') }),
      stamped(2n, '0', { amount: decimalOf('100'), pieces: 10, weight: 10, isOpen: false, note: 'it?' }),
      stamped(9_007_199_254_740_993n, 'it\'s "so"', { amount: decimalOf(big), Größe: 'g', day: dateOf('2024-02-01') }),
      stamped(9_007_199_254_740_992n, null),
      { id: 5n, status: 'Paid ?', updatedAt: timestampOf('2024-01-01 23:00:00') },
    ])
    if (dialect === 'sqlite')
      await source.query("update orders set updated_at = '2024-01-01T09:00:00Z' where id = 1", [])
    else await source.query("update orders set updated_at = '2024-01-01 09:00:00' where id = 1", [])
    const exact = dialect !== 'sqlite'
    const cases: readonly [Where, readonly bigint[]][] = [
      [{ status: '0' }, [2n]],
      [{ status: ['paid', null], day: dateOf('2024-01-09') }, [1n]],
      [{ status: null }, [9_007_199_254_740_992n]],
      [{ isOpen: true }, [1n]],
      [{ weight: 0.5 }, [1n]],
      [{ Größe: 'g' }, [9_007_199_254_740_993n]],
      [{ id: 9_007_199_254_740_993n }, [9_007_199_254_740_993n]],
      [
        ['amount > ?', '10'],
        [2n, 9_007_199_254_740_993n],
      ],
      [['pieces > ?', '9'], [2n]],
      [
        ['? <= weight', 0.5],
        [1n, 2n],
      ],
      [
        ['amount between ? and ? and not status = ?', 5, '1000', 'x'],
        [1n, 2n],
      ],
      [
        ['status not in (?, ?)', '0', 'paid'],
        [5n, 9_007_199_254_740_993n],
      ],
      [["status like ? and note <> 'a?'", '0%'], [2n]],
      [['updated_at < ?', timestampOf('2024-01-01 09:30:00')], [1n]],
      [
        ['updated_at >= ?', '2024-01-01T12:00:00+02:00'],
        [2n, 5n, 9_007_199_254_740_992n, 9_007_199_254_740_993n],
      ],
      [
        ['STATUS = ? or status is null and day is null', 'paid'],
        [1n, 9_007_199_254_740_992n],
      ],
      [['upper(status) = cast(? as char(4))', 'PAID'], [1n]],
      ...(exact ? ([[['amount > ?', '12345678901234567890'], [9_007_199_254_740_993n]]] as never) : []),
    ]

    for (const [index, [where, expected]] of cases.entries()) {
      await TargetOrder.deleteAll()
      await run(reading(where), `run-${index}`)
      const found = (await TargetOrder.all().order('id').toArray()).map(({ id }) => id)
      assert.deepEqual(
        found,
        expected,
        JSON.stringify(where, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
      )
    }
  })

  test('counts only the rows that it is about: those without a cursor, those that wait, those of unreadable stamps', async () => {
    await begin([
      stamped(1n, 'paid'),
      { id: 2n, status: 'open', updatedAt: null },
      { id: 3n, status: 'open', updatedAt: timestampOf('2999-01-01 00:00:00') },
    ])
    if (dialect === 'sqlite')
      await source.query("insert into orders (id, status, updated_at) values (4, 'open', 'yesterday')", [])

    await run(paid, 'run-1')

    assert.deepEqual(await ids(), [1])
    const notes = (await services().state.run('run-1'))?.steps[0]?.notes ?? []
    assert.deepEqual(
      notes.filter((note) => /2 rows|1 row|updated_at/.test(note)),
      [],
    )
  })

  test('whatever else reads the source keeps to the rows: partitions, keys, a backfill, a preview, a comparison', async () => {
    await begin(Array.from({ length: 20 }, (_, index) => stamped(BigInt(index + 1), index % 2 ? 'paid' : 'open')))
    const cut = reading({ status: 'paid' })
    const extract = { ...cut.extract, partitionRows: 3 }
    const drafted = await draftRun({ ...cut, extract }, null, { id: 'plan', lastRun: null }, services())
    const chosen = { ...paid, name: 'orders', deletes: cut.deletes, written: cut.written }
    await run(chosen, 'run-1', { keys: ['1', '2'] })
    const byKey = await ids()
    const keyNotes = (await services().state.run('run-1'))?.steps[0]?.notes
    await run(chosen, 'run-2', { backfill: { from: '2024-01-01', to: '2024-01-02' } })
    const backfilled = await ids()
    await run(cut, 'run-3')
    const previewed = await preview(cut, { limit: 50, lastRun: null }, services())
    const equal = await reconcile(cut, services())
    await target.query("update orders set status = 'x' where id = 2", [])
    await TargetOrder.create({ id: 1n, status: 'open' })
    const different = await reconcile(cut, services())

    assert.equal(drafted.rows, 10)
    assert.equal(drafted.partitions.length, 4)
    assert.deepEqual(byKey, [2])
    assert.ok(keyNotes?.includes('1 of 2 keys have no row in rows-source.orders that its where chooses'))
    assert.deepEqual(backfilled, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20])
    assert.equal(previewed.rows.length, 10)
    assert.deepEqual(Object.keys(previewed.rows[0]?.source ?? {}), ['id', 'status', 'amount'])
    assert.deepEqual([equal.source.rows, equal.counts], [10, { missing: 0, extra: 0, different: 0 }])
    assert.deepEqual(different.counts, { missing: 0, extra: 1, different: 1 })
    assert.equal(
      (await examinePipeline(cut, { isConnected: () => true, services: services(), makesTargets: false })).filter(
        ({ verdict }) => verdict === 'broken',
      ).length,
      0,
    )
  })

  test('a row takes the key over of one that has left the filter, in another spelling', {
    skip: dialect !== 'sqlite',
  }, async () => {
    class Code extends source.source('codes', { code: text().primaryKey(), status: text(), label: text() }) {}
    class Stored extends target.table('codes', { code: text().primaryKey(), label: text() }) {}
    await source.query('create table codes (code text primary key, status text, label text)', [])
    await target.query('create table codes (code text collate nocase primary key, label text)', [])
    await source.query("insert into codes values ('A', 'paid', 'one')", [])
    const codes = pipeline('codes', {
      extract: fullLoad(Code, { where: { status: 'paid' } }),
      transform: ({ code, label }) => ({ code, label }),
      load: upsert(Stored, { by: 'code' }),
    }) as unknown as Pipeline
    await run(codes, 'run-1')
    await source.query("update codes set status = 'open'", [])
    await source.query("insert into codes values ('a', 'paid', 'two')", [])

    const { quarantined: aside } = await run(codes, 'run-2')

    assert.equal(aside, 0)
    assert.deepEqual((await target.query('select code, label from codes', [])).rows, [['a', 'two']])
  })

  test('keys of several columns, and names with capitals and quotes, are chosen, cut and deleted as any', async () => {
    class Line extends source.table('Order "Lines"', {
      orderId: bigint().primaryKey().column('Order'),
      line: varchar(10).primaryKey().column('Line "no"'),
      state: varchar(10).nullable().column('State'),
      more: text().nullable(),
    }) {}
    class Kept extends target.table('Order "Lines"', {
      orderId: bigint().primaryKey().column('Order'),
      line: varchar(10).primaryKey().column('Line "no"'),
      state: varchar(10).nullable(),
    }) {}
    for (const model of [Line, Kept] as unknown as ModelClass[]) await model.createTable()
    await Line.insertAll(
      Array.from({ length: 12 }, (_, index) => ({
        orderId: BigInt(index % 3),
        line: `l'${index}`,
        state: index % 4 ? 'it?' : null,
        more: 'm',
      })),
    )
    const lines = pipeline('lines', {
      extract: fullLoad(Line, {
        where: ['"State" is null or `Line "no"` in (?, ?)', "l'1", "l'2"],
        columns: ['state'],
        partitionRows: 2,
      }),
      transform: (row) => ({ ...row }),
      load: upsert(Kept, { by: ['orderId', 'line'] }),
      deletes: { hard: true, most: 1 },
    }) as unknown as Pipeline
    const found = async () => (await Kept.all().order('line').toArray()).map(({ line }) => line)
    await run(lines, 'run-1')
    const first = await found()
    await Line.where({ line: "l'4" })
      .first()
      .then((one) => one?.assign({ state: 'other' }).saveOrFail())

    await run(lines, 'run-2')
    const { counts } = await reconcile(lines, services())

    assert.deepEqual(first, ["l'0", "l'1", "l'2", "l'4", "l'8"])
    assert.deepEqual(await found(), ["l'0", "l'1", "l'2", "l'8"])
    assert.deepEqual(counts, { missing: 0, extra: 0, different: 0 })
  })

  test('a quarantined row that has left the filter is not loaded when it is sent again', async () => {
    await begin([stamped(1n, 'paid'), stamped(2n, 'paid'), stamped(3n, 'paid')])
    const refusing = {
      ...reading({ status: 'paid' }),
      transform: (_row: unknown, { reject }: { reject(field: string, code: string): null }) => reject('status', 'bad'),
    } as unknown as Pipeline
    await run(refusing, 'run-1')
    const kept = await quarantined(engine.harness, 'run-1', 'orders')
    await source.query("update orders set status = 'open' where id = 2", [])

    await run(reading({ status: 'paid' }), 'run-2', { replay: {} })

    assert.deepEqual(
      kept.map(({ row }) => Object.keys(row)),
      Array(3).fill(['id', 'status', 'amount']),
    )
    assert.deepEqual(await ids(), [1, 3])
  })

  test('a column that is not read may go; one that rows are chosen by is missed at Plan', async () => {
    await begin([stamped(1n, 'paid')])
    await source.query('alter table orders drop column note', [])
    await run(reading({ status: 'paid' }), 'run-1')
    const loaded = await ids()
    const byNote = pipeline('orders', {
      extract: fullLoad(SourceOrder, { where: ['note = ?', 'x'], columns: ['amount'] }),
      transform: ({ id }) => ({ id }),
      load: upsert(TargetOrder, { by: 'id' }),
    }) as unknown as Pipeline

    await assert.rejects(run(byNote, 'run-2'), { name: 'Terminal', message: /note/ })

    assert.deepEqual(loaded, [1])
  })

  test('SQL that the source does not take is refused by plan, preview and doctor, with where it stands', async () => {
    await begin([stamped(1n, 'paid')])
    const broken = reading(['and pieces = ?', 1])
    const message = /rows-source\.orders: the database does not take the where .*nothing was read.*correct it/

    const [said] = (await examineSource(broken)).filter(({ verdict }) => verdict === 'broken')
    await assert.rejects(draftRun(broken, null, { id: 'run-1', lastRun: null }, services()), {
      name: 'Terminal',
      message,
    })
    await assert.rejects(preview(broken, { limit: 1, lastRun: null }, services()), { name: 'Terminal', message })
    assert.match(said?.said ?? '', message)
  })

  test('compares columns of types that the field only reads, or refuses them', async () => {
    await begin([])
    const version = dialect === 'mysql' ? String((await source.query('select version()', [])).rows[0]?.[0]) : ''
    const cases: Readonly<Record<Dialect, readonly (readonly [string, string, AnyField, unknown, RegExp | true])[]>> = {
      sqlite: [
        ['boolean', "'t'", boolean(), true, true],
        ['boolean', "'false'", boolean(), false, true],
        ['boolean', '1', boolean(), true, true],
      ],
      postgres: [
        ['xid8', "'5'", bigint(), 5n, true],
        ['money', "'5.00'", decimal(10, 2), decimalOf('5.00'), true],
        ['interval', "'1 day'", text(), '24:00:00', true],
        ['int4range', "'[1,5)'", text(), '[1,5)', true],
        ['integer[]', "'{1,2}'", text(), '{1,2}', true],
        ['json', `'{"a": 1}'`, text(), '{"a": 1}', /the field value is text and the column value is json/],
      ],
      // MariaDB's is a text.
      mysql: version.includes('MariaDB')
        ? [['json', `'{"a": 1}'`, text(), '{"a": 1}', true]]
        : [['json', `'{"a": 1}'`, text(), '{"a": 1}', /the field value is text and the column value is json/]],
    }

    for (const [place, [type, literal, field, value, expected]] of cases[dialect].entries()) {
      await source.query(`create table typed_${place} (id bigint primary key, value ${type})`, [])
      await source.query(`insert into typed_${place} values (1, ${literal}), (2, null)`, [])
      class Typed extends source.source(`typed_${place}`, { id: bigint().primaryKey(), value: field }) {}
      const of = pipeline('typed', {
        extract: fullLoad(Typed, { where: { value: value as never } }),
        transform: ({ id }) => ({ id: id as bigint }),
        load: upsert(TargetOrder, { by: 'id' }),
      }) as unknown as Pipeline
      const rows = preview(of, { limit: 5, lastRun: null }, services()).then(({ rows }) =>
        rows.map((row) => row.source.id),
      )
      if (expected === true) assert.deepEqual(await rows, ['1'], type)
      else await assert.rejects(rows, { name: 'Terminal', message: expected }, type)
    }
  })
})
