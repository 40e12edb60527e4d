import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Call } from 'dray-infra/internal/page/calls.ts'
import { timelineRows } from 'dray-infra/internal/page/client/timeline-rows.ts'
import type { RunDetailDocument } from 'dray-infra/internal/page/documents.ts'

type Step = RunDetailDocument['steps'][number]
type Partition = RunDetailDocument['partitions'][number]

const step = (name: string, start: number | null, end: number | null, rest: Partial<Step> = {}): Step => ({
  name,
  after: [],
  status: 'success',
  start,
  end,
  ...rest,
})
const call = (stage: string, partition: number | null, start: number, end: number | null, status = 'success') =>
  ({
    step: 'orders',
    stage,
    partition,
    start,
    end,
    status,
    error: status === 'failed' ? 'Transient: away' : null,
  }) as Call
const record = (partition: number, read: number) =>
  ({ pipeline: 'orders', partition, read, status: 'success' }) as Partition

const NOW = 10_000

function rows(detail: Partial<RunDetailDocument>, ...unfolded: readonly string[]) {
  const empty = { steps: [], partitions: [], calls: [], criticalPath: [] }
  return timelineRows({ ...empty, ...detail } as unknown as RunDetailDocument, new Set(unfolded), NOW)
}

describe('the lines of the timeline', () => {
  const calls = [
    call('plan', null, 0, 100),
    call('load', 1, 300, 400, 'failed'),
    call('extract', 0, 100, 200),
    call('load', 1, 500, 700),
    call('commit', null, 700, 800),
  ]
  const steps = [
    step('orders', 0, 800, { read: 30 }),
    step('mart', 800, null, { after: ['orders'], status: 'running' }),
  ]

  test('are one for each step, its partitions in one bar from the first call to the last', () => {
    const [orders] = rows({ steps, calls, partitions: [record(0, 10), record(1, 20)] })

    assert.deepEqual(
      orders?.bars.map(({ start, end, kind, title }) => [start, end, kind, title]),
      [
        [0, 100, 'plan success', 'plan, 0.10 s, success'],
        [700, 800, 'commit success', 'commit, 0.10 s, success'],
        [100, 700, 'partitions failed', '2 partitions'],
      ],
    )
    assert.deepEqual([orders?.retries, orders?.read, orders?.partitions], [1, 30, 2])
  })

  test('are one for each partition of a step that is unfolded, retries as further bars', () => {
    const [, first, second, mart] = rows({ steps, calls, partitions: [record(0, 10), record(1, 20)] }, 'orders')

    assert.deepEqual([first?.partition, first?.read, first?.retries], [0, 10, 0])
    assert.deepEqual(
      second?.bars.map(({ title }) => title),
      ['load, 0.10 s, failed: Transient: away', 'load, 0.20 s, success'],
    )
    assert.deepEqual([second?.retries, second?.status, mart?.step], [1, 'success', 'mart'])
  })

  test('call a partition failed whose last call has failed, and waiting before the first', () => {
    const failed = rows({ steps, calls: [call('load', 0, 0, 5, 'failed')], partitions: [record(0, 0)] }, 'orders')
    const known = rows({ steps, calls: [], partitions: [{ ...record(3, 0), status: 'running' }] }, 'orders')

    assert.deepEqual([failed[1]?.status, known[1]?.status, known[1]?.partition], ['failed', 'running', 3])
  })

  test('have the step itself as a bar where no call is known, which grows until it ends', () => {
    const [, mart] = rows({ steps })

    assert.deepEqual(mart?.bars, [{ start: 800, end: NOW, kind: 'task', title: 'the step' }])
  })

  test('have a wait from the start of the run until a step could start', () => {
    const [orders, mart] = rows({ steps })

    assert.deepEqual([orders?.waits, mart?.waits], [null, { start: 0, end: 800 }])
    assert.equal(rows({ steps: [step('mart', null, null)] })[0]?.waits, null)
  })

  test('are marked on the critical path', () => {
    const isCritical = rows({ steps, criticalPath: ['mart'] }).map((row) => row.isCritical)

    assert.deepEqual(isCritical, [false, true])
  })
})
