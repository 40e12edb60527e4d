import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import type { FinishInput, ReconcileInput } from 'dray/internal/messages/stages.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { ExtraInRanges } from 'dray/internal/pipeline/inspect/extra-rows.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { reconcileStep } from 'dray/internal/pipeline/inspect/reconcile-step.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import type { StepRecord } from 'dray/internal/state/state-store.ts'
import { type ReconcileStepOptions, reconcile as reconcileOf } from 'dray/internal/workflow/reconcile.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { workflow } from 'dray/internal/workflow/workflow.ts'
import { type Clock, execute, realClock } from 'dray-infra/internal/states-language/index.ts'
import { onEachEngine } from './engines.ts'
import { runPipeline } from './harness.ts'

const source = database('scheduled-source')
const target = database('scheduled-target')

const fields = { id: bigint().primaryKey(), label: text().nullable(), changedAt: timestamp() }
class SourceOrder extends source.table('orders', fields) {}
class TargetOrder extends target.table('orders', fields) {}
class SourceWord extends source.table('words', {
  word: varchar(20).primaryKey(),
  device: varchar(20),
  at: timestamp(),
}) {}
class TargetWord extends target.table('words', {
  word: varchar(20).primaryKey(),
  device: varchar(20),
  at: timestamp(),
}) {}
class TargetDevice extends target.table('devices', { device: varchar(20).primaryKey(), at: timestamp() }) {}
class Log extends target.table('log', { line: text() }) {}
const models = [SourceOrder, TargetOrder, SourceWord, TargetWord, TargetDevice] as unknown as ModelClass[]

const orders = pipeline('orders', {
  extract: changedSince(SourceOrder, { cursor: 'changedAt', lag: '0s' }),
  transform: ({ id, label, changedAt }) => ({ id, label: label?.toUpperCase() ?? null, changedAt }),
  load: upsert(TargetOrder, { by: 'id' }),
})
const copied = pipeline('orders', {
  extract: changedSince(SourceOrder, { cursor: 'changedAt', lag: '0s' }),
  transform: copyFields(SourceOrder, { id: 'id', label: 'label', changedAt: 'changedAt' }),
  load: upsert(TargetOrder, { by: 'id' }),
})
const words = pipeline('words', {
  extract: fullLoad(SourceWord),
  transform: ({ word, device, at }) => ({ word, device, at }),
  load: upsert(TargetWord, { by: 'word' }),
})
const devices = pipeline('devices', {
  extract: changedSince(SourceWord, { cursor: 'at', lag: '0s' }),
  transform: ({ device, at }) => ({ device, at }),
  load: upsert(TargetDevice, { by: 'device' }),
})

// biome-ignore lint/suspicious/noExplicitAny: pipelines of several models.
type Any = Pipeline<any, any>

const OLD = timestampOf('2020-01-01 00:00:00')
const at = (second: number) => timestampOf(`2024-01-01 10:00:${String(Math.abs(second) % 60).padStart(2, '0')}`)
const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
const order = (id: number, over: object = {}) => ({ id: BigInt(id), label: `order ${id}`, changedAt: at(id), ...over })

test('a pipeline without a key on either side is refused where the workflow is declared, as by the command', async () => {
  const logging = pipeline('logging', {
    extract: fullLoad(SourceWord),
    transform: ({ word }) => ({ line: word }),
    load: append(Log),
  })
  const message =
    /^logging: source and target need a key each to be compared, so nothing was: append\(\) goes by no key of the target; mark/

  assert.throws(() => reconcileOf(logging), { name: 'Configuration', message })
  await assert.rejects(reconcile(logging as unknown as Pipeline, {} as Services), { name: 'Configuration', message })
  for (const failAbove of [-1, 0.5, Number.NaN]) {
    assert.throws(() => reconcileOf(orders, { failAbove }), /reconcile\(orders\) has failAbove: .* give a whole number/)
  }
})

/** Waits between two attempts are short, those for a timeout are not. */
const impatientClock: Clock = {
  now: () => realClock.now(),
  sleep: (ms, signal) => realClock.sleep(ms < 90_000 ? ms / 1_000 : ms, signal),
}

onEachEngine('a scheduled reconciliation', [source, target], (engine) => {
  const services = () => engine.harness.services
  const begin = async () => {
    for (const model of models) await model.createTable()
  }

  interface Ended {
    readonly status: string
    readonly step: StepRecord | undefined
    readonly calls: readonly ReconcileInput[]
  }

  /** A run of the workflow by the interpreter; each call of the function has time for so many looks at the clock. */
  async function run(
    id: string,
    of: Any,
    options: ReconcileStepOptions & { looks?: number; before?: (input: ReconcileInput) => Promise<void> | void } = {},
  ): Promise<Ended> {
    const { looks = Number.POSITIVE_INFINITY, before, ...step } = options
    const calls: ReconcileInput[] = []
    const compiled = toStatesLanguage(workflow('nightly-reconcile', { steps: [reconcileOf(of, step)] }))
    const { status } = await execute(
      compiled.definition,
      {},
      {
        executionName: id,
        machines: compiled.machines,
        clock: impatientClock,
        executor: {
          async invoke(name, payload) {
            if (name === 'DrayFinish') return finish(payload as FinishInput, services())
            const input = JSON.parse(JSON.stringify(payload)) as ReconcileInput
            calls.push(input)
            await before?.(input)
            let left = looks
            const timeLeft = () => 100_000 * Math.max(0, left--)
            return reconcileStep(
              of,
              input,
              looks === Number.POSITIVE_INFINITY ? services() : { ...services(), timeLeft },
            )
          },
        },
      },
    )
    const [record] = (await services().state.run(id))?.steps ?? []
    if (step.failAbove === undefined) assert.equal(status, 'SUCCEEDED', record?.error ?? '')
    return { status, step: record, calls }
  }
  const countsOf = ({ step }: Ended) => {
    const { missing, extra, different } = step?.reconciled ?? {}
    return { missing, extra, different }
  }

  test('finds a row that came with an old stamp, says it in the record, and changes nothing', async () => {
    await begin()
    await SourceOrder.insertAll(range(5).map((id) => order(id)))
    await runPipeline(orders, 'run-1', services())
    await SourceOrder.insertAll([
      order(6, { changedAt: OLD }),
      order(7, { changedAt: timestampOf('2090-01-01 00:00:00') }),
    ])
    await runPipeline(orders, 'run-2', services())
    const before = await services().state.pipeline('orders')

    const found = await run('nightly-1', orders)

    assert.deepEqual([found.status, found.step?.status, found.step?.step], ['SUCCEEDED', 'success', 'reconcile-orders'])
    assert.deepEqual(found.step?.reconciled, {
      pipeline: 'orders',
      ...{ missing: 1, extra: 0, different: 0 },
      rows: { source: 7, target: 5 },
      ...{ ranges: 1, equalByDigest: 0, rowsCompared: 6 },
      first: [{ kind: 'missing', key: { id: '6' }, columns: [] }],
    })
    assert.match(
      found.step?.notes?.join('\n') ?? '',
      /^1 missing, 0 extra, 0 different: missing id=6\. `dray reconcile orders --fix` loads .*\ncompared 7 rows of scheduled-source\.orders with 5 of scheduled-target\.orders: .*; left out: 1 pending\n/,
    )
    assert.equal(await TargetOrder.count(), 5)
    assert.deepEqual(await services().state.pipeline('orders'), before)
    assert.equal(found.calls.length, 1)
  })

  for (const [name, of] of [
    ['row by row', orders],
    ['by digests', copied],
  ] as const) {
    test(`${name}, in many calls it finds what one call finds`, async () => {
      await begin()
      await SourceOrder.insertAll(range(9_000).map((id) => order(2 * id)))
      await runPipeline(of, 'run-1', services())
      await TargetOrder.deleteAll({ id: [6n, 18_000n] })
      await target.query("update orders set label = 'other' where id = 9000")
      await TargetOrder.insertAll([-3, 7, 20_001].map((id) => order(id)))

      const once = await run('once', of)
      const often = await run('often', of, { looks: 3 })

      assert.deepEqual([once.calls.length, countsOf(once)], [1, { missing: 2, extra: 3, different: 1 }])
      assert.ok(often.calls.length > 4, `${often.calls.length} calls`)
      assert.deepEqual(
        often.calls.map(({ call }) => call),
        range(often.calls.length),
      )
      const sorted = ({ step }: Ended) => ({
        ...step?.reconciled,
        first: step?.reconciled?.first.map(({ kind, key }) => `${kind} ${key.id}`).sort(),
      })
      assert.deepEqual(sorted(often), sorted(once))
      assert.deepEqual(sorted(once).first, [
        'different 9000',
        'extra -3',
        'extra 20001',
        'extra 7',
        'missing 18000',
        'missing 6',
      ])
      if (of === copied && engine.dialect !== 'sqlite') assert.equal(once.step?.reconciled?.equalByDigest, 2)
    })
  }

  test('of keys that are no numbers, in many calls it finds what one call finds', async () => {
    await begin()
    await SourceWord.insertAll(range(5_000).map((n) => ({ word: `w${n}`, device: `d${n % 7}`, at: at(n) })))
    await runPipeline(words, 'run-1', services())
    await TargetWord.deleteAll({ word: 'w17' })
    await TargetWord.insertAll([{ word: 'x', device: 'x', at: OLD }])

    const once = await run('once', words)
    const often = await run('often', words, { looks: 4 })
    const hurried = await run('hurried', words, { looks: 3 })

    assert.deepEqual(countsOf(once), { missing: 1, extra: 1, different: 0 })
    assert.ok(often.calls.length > 2, `${often.calls.length} calls`)
    assert.deepEqual([countsOf(often), often.step?.reconciled?.first], [countsOf(once), once.step?.reconciled?.first])
    assert.deepEqual(countsOf(hurried), { missing: 1, extra: 0, different: 0 })
    assert.match(
      hurried.step?.notes?.join('\n') ?? '',
      /extra rows were not looked for: all keys of the source could not be brought to the target within/,
    )
  })

  test('of several source rows of one target row the newest is looked for, across calls', async () => {
    await begin()
    await SourceWord.insertAll(range(5_000).map((n) => ({ word: `w${n}`, device: `d${n % 7}`, at: at(n % 50) })))
    await SourceWord.insertAll([{ word: 'a', device: 'd1', at: at(55) }])
    await runPipeline(devices, 'run-1', services())
    await target.query("update devices set at = '2020-01-01 00:00:00' where device = 'd1'")

    const once = await run('once', devices)
    const often = await run('often', devices, { looks: 3 })

    assert.deepEqual(countsOf(once), { missing: 0, extra: 0, different: 1 })
    assert.ok(often.calls.length > 5, `${often.calls.length} calls`)
    assert.deepEqual([countsOf(often), often.step?.reconciled?.first], [countsOf(once), once.step?.reconciled?.first])
  })

  test('a call that dies is made again from where the one before has left off', async () => {
    await begin()
    await SourceOrder.insertAll(range(9_000).map((id) => order(id)))
    await runPipeline(orders, 'run-1', services())
    await TargetOrder.deleteAll({ id: [6n, 8_000n] })
    let deaths = 0

    const found = await run('nightly-1', orders, {
      looks: 3,
      before: ({ call }) => {
        if (call !== 3 || deaths++ > 1) return
        throw Object.assign(new Error('the process has exited'), { name: 'Runtime.ExitError' })
      },
    })

    assert.equal(deaths, 3)
    assert.deepEqual([found.status, countsOf(found)], ['SUCCEEDED', { missing: 2, extra: 0, different: 0 }])
    assert.equal(found.step?.reconciled?.rowsCompared, 9_000)
  })

  test('rows that a run has loaded, or that moved into the next window, by the end are no differences', async () => {
    await begin()
    await SourceOrder.insertAll(range(5_000).map((id) => order(id)))
    await runPipeline(orders, 'run-1', services())
    await TargetOrder.deleteAll({ id: [1n, 2n, 3n] })

    const found = await run('nightly-1', orders, {
      looks: 3,
      before: async ({ call }) => {
        if (call !== 2) return
        await TargetOrder.insertAll([order(1, { label: 'ORDER 1' })])
        await source.query("update orders set changed_at = '2090-01-01 00:00:00' where id = 2")
      },
    })

    assert.deepEqual(countsOf(found), { missing: 1, extra: 0, different: 0 })
    assert.deepEqual(
      found.step?.reconciled?.first.map(({ key }) => key),
      [{ id: '3' }],
    )
  })

  test('a key that has come to the source since its rows were read is not extra', async () => {
    await begin()
    await SourceOrder.insertAll(range(5).map((id) => order(id)))
    await runPipeline(orders, 'run-1', services())
    await TargetOrder.insertAll([order(6)])

    const inRanges = await ExtraInRanges.of(orders as unknown as Pipeline, 2)
    const found = await Array.fromAsync(inRanges?.keys({ from: ['1'], to: null }, new Set(['2'])) ?? [])

    assert.deepEqual(found, [['6']])
  })

  test('fails above failAbove, with what was found in the record, and not at it', async () => {
    await begin()
    await SourceOrder.insertAll(range(5).map((id) => order(id)))
    await runPipeline(orders, 'run-1', services())
    await TargetOrder.deleteAll({ id: [1n, 2n] })

    const above = await run('above', orders, { failAbove: 1 })
    const below = await run('below', orders, { failAbove: 2 })

    assert.deepEqual([above.status, above.step?.status, countsOf(above).missing], ['FAILED', 'failed', 2])
    assert.match(
      above.step?.error ?? '',
      /reconcile-orders: scheduled-target\.orders differs from scheduled-source\.orders in 2 rows and at most 1 may differ \(failAbove\): 2 missing, 0 extra, 0 different; nothing was changed\. Look at them with `dray reconcile orders`/,
    )
    assert.equal(above.calls.length, 1)
    assert.deepEqual([below.status, below.step?.status], ['SUCCEEDED', 'success'])
  })

  test('a row that is larger than the limits hides no other one from the digests', async () => {
    const limited = pipeline('orders', {
      extract: copied.extract,
      transform: copied.transform,
      load: copied.load,
      limits: { valueBytes: 1_000, rowBytes: 1_000 },
    })
    const label = 'x'.repeat(2_000)
    await begin()
    await target.query('drop table orders')
    await target.query(
      `create table orders (id bigint primary key, label text, changed_at ${engine.dialect === 'mysql' ? 'datetime(6)' : 'timestamp'} not null)`,
    )
    await SourceOrder.insertAll([order(1), order(2, { label })])
    await runPipeline(limited, 'run-1', services())
    await target.query(`insert into orders (id, label, changed_at) values (3, '${label}', '2024-01-01 00:00:00')`)

    const found = await run('nightly-1', limited)

    assert.deepEqual(countsOf(found), { missing: 0, extra: 1, different: 0 })
  })
})
