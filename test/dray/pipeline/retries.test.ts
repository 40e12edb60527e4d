import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, type Loading, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { retryNotes } from 'dray/internal/pipeline/quarantine/retries.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { onEachEngine } from './engines.ts'
import { planRun, prepare, runPipeline } from './harness.ts'

const crm = database('retries-source')
const warehouse = database('retries-target')

class Payment extends crm.table('payment', {
  id: bigint().primaryKey(),
  customerId: bigint(),
  label: text().nullable(),
  changedAt: timestamp(),
}) {}
/** Refers to a customer, who may come later, by another pipeline. */
class TargetPayment extends warehouse.table('payment', {
  id: bigint().primaryKey(),
  customerId: bigint(),
  label: varchar(20).nullable(),
  changedAt: timestamp(),
}) {}
class Happening extends warehouse.table('happening', { id: bigint(), label: text().nullable() }) {}

const payments = pipeline('payments', {
  extract: changedSince(Payment, { cursor: 'changedAt', lag: '0s' }),
  transform: ({ id, customerId, label, changedAt }) => ({ id, customerId, label, changedAt }),
  load: upsert(TargetPayment, { by: 'id' }),
  quarantine: { retry: 3 },
})

const versioned = pipeline('payments', {
  extract: payments.extract,
  transform: payments.transform,
  load: upsert(TargetPayment, { by: 'id', version: 'changedAt' }),
  quarantine: { retry: 3 },
}) as unknown as Pipeline

let refused: string[] = []
const happenings = pipeline('happenings', {
  extract: changedSince(Payment, { cursor: 'changedAt', lag: '0s' }),
  transform: ({ id, label }, { reject }) => (refused.includes(label ?? '') ? reject('label', 'bad') : { id, label }),
  load: append(Happening),
  quarantine: { retry: 2 },
}) as unknown as Pipeline

const usual = payments as unknown as Pipeline
const STAMP = timestampOf('2024-01-01 00:00:00')

onEachEngine('rows that failed', [crm, warehouse], (engine) => {
  const run = (id: string, of: Pipeline = usual) => runPipeline(of, id, engine.harness.services)

  beforeEach(async () => {
    refused = []
    for (const model of [Payment, Happening] as unknown as ModelClass[]) await model.createTable()
    const key = engine.dialect === 'mysql' ? 'bigint primary key' : 'bigint primary key'
    const moment = { postgres: 'timestamptz', mysql: 'datetime(6)', sqlite: 'text' }[engine.dialect]
    await warehouse.query('drop table if exists payment')
    await warehouse.query('drop table if exists customer')
    await warehouse.query(`create table customer (id ${key})`)
    await warehouse.query(
      `create table payment (id ${key}, customer_id bigint not null, label varchar(20), changed_at ${moment} not null, foreign key (customer_id) references customer (id))`,
    )
  })

  const pay = (id: bigint, customerId: bigint, label = 'one', changedAt = STAMP) =>
    Payment.upsertAll([{ id, customerId, label, changedAt }], { by: 'id' })
  const customer = (id: number) => warehouse.query(`insert into customer (id) values (${id})`)
  const landed = async () => (await TargetPayment.all().order('id').toArray()).map(({ id, label }) => `${id} ${label}`)
  const open = async (of: Pipeline = usual) =>
    (await Array.fromAsync(quarantinedRows(engine.harness.services.staging, of.name))).filter(
      ({ record }) => record === null,
    )
  const notesOf = async (id: string) =>
    ((await engine.harness.services.state.run(id))?.steps ?? []).flatMap(({ notes }) => notes ?? []).join('\n')

  test('a row lands in a later run, when what it refers to has come', async () => {
    await customer(1)
    await pay(1n, 1n)
    await pay(2n, 2n)
    assert.equal((await run('run-1')).quarantined, 1)
    await customer(2)

    const second = await run('run-2')

    assert.deepEqual([second.read, second.inserted, second.quarantined], [1, 1, 0])
    assert.deepEqual(await landed(), ['1 one', '2 one'])
    assert.deepEqual(await open(), [])
    assert.equal((await run('run-3')).read, 0)
  })

  test('a row has its tries and is left then, which the run says; no run stops for it', async () => {
    for (let id = 1n; id <= 10n; id++) await pay(id, 9n)
    assert.equal((await run('run-0')).quarantined, 10)
    for (let id = 11n; id <= 15n; id++) await pay(id, 8n, 'two', timestampOf('2024-01-01 00:00:00'))
    const reads: number[] = []
    for (const id of ['run-1', 'run-2', 'run-3', 'run-4']) {
      const { read, quarantined } = await run(id)
      reads.push(read)
      assert.equal(quarantined, read)
    }

    assert.deepEqual(reads, [10, 10, 10, 0])
    assert.match(
      await notesOf('run-4'),
      /10 rows of the quarantine have been tried by 3 runs and are left there; .*`dray quarantine replay payments`/,
    )
    assert.equal((await open()).length, 10)
    assert.match((await retryNotes(usual, engine.harness.services)).join(), /tried by 3 runs/)
  })

  test('a row that has changed is read by the window, not tried again', async () => {
    await customer(1)
    await pay(1n, 2n)
    await run('run-1')
    await pay(1n, 1n, 'newer', timestampOf(new Date().toISOString()))

    const second = await run('run-2')

    assert.ok(second.read <= 1)
    await new Promise((resolve) => setTimeout(resolve, 2100))
    await run('run-3')
    assert.deepEqual(await landed(), ['1 newer'])
    assert.deepEqual(await open(), [])
  })

  test('with a version the row is sent as it was kept, and puts nothing over a newer one', async () => {
    await customer(1)
    await pay(1n, 2n)
    await run('run-1', versioned)
    await customer(2)
    await warehouse.query(
      `insert into payment (id, customer_id, label, changed_at) values (1, 1, 'newer', '2025-01-01 00:00:00')`,
    )

    const second = await run('run-2', versioned)

    assert.deepEqual([second.read, second.unchanged], [1, 1])
    assert.deepEqual(await landed(), ['1 newer'])
    assert.deepEqual(await open(), [])
  })

  test('a row that is gone from the source is not sent', async () => {
    await pay(1n, 2n)
    await run('run-1')
    await customer(2)
    await Payment.deleteAll({ id: 1n })

    assert.equal((await run('run-2')).read, 0)
    assert.deepEqual(await landed(), [])
    assert.deepEqual(await open(), [])
  })

  test('an append takes a row once, though the run that sent it died before it could say so', async () => {
    const { services } = engine.harness
    refused = ['bad']
    await pay(1n, 1n, 'bad')
    await pay(2n, 1n, 'good')
    await run('run-1', happenings)
    refused = []
    const planned = await planRun(happenings, 'run-2', services)
    for (const { partition } of planned.partitions) {
      await load(happenings, await prepare(happenings, 'run-2', planned, partition, services), services)
    }
    await services.state.releaseLease('happenings', 'run-2')

    const third = await run('run-3', happenings)

    assert.equal(await Happening.count(), 2)
    assert.ok(third.read <= 1)
    assert.deepEqual(await open(happenings), [])
    assert.equal((await run('run-4', happenings)).read, 0)
    assert.equal(await Happening.count(), 2)
  })

  test('a row that was refused again by a run that died is not taken for landed', async () => {
    const { services } = engine.harness
    await pay(1n, 2n)
    await run('run-1')
    const planned = await planRun(usual, 'run-2', services)
    for (const { partition } of planned.partitions) {
      await load(usual, await prepare(usual, 'run-2', planned, partition, services), services)
    }
    await services.state.releaseLease('payments', 'run-2')
    await customer(2)

    await run('run-3')

    assert.deepEqual(await landed(), ['1 one'])
    assert.deepEqual(await open(), [])
  })
})

test('tries that say nothing are refused', () => {
  const of =
    (retry: number, load: Loading, extract = payments.extract) =>
    () =>
      pipeline('p', { extract, transform: payments.transform as never, load: load as never, quarantine: { retry } })
  assert.throws(of(3, payments.load, fullLoad(Payment)), /says nothing for fullLoad\(\)/)
  assert.throws(of(1.5, payments.load), /is 1.5; give the number of runs/)
})
