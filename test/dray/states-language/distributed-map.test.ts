import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FinishInput, StepOutcome } from 'dray/internal/messages/stages.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { type ExecutionResult, execute, type HistoryEvent } from 'dray-infra/internal/states-language/index.ts'
import { errorNamed } from './machine.ts'
import { OutcomeTable } from './outcome-table.ts'
import { VirtualClock } from './virtual-clock.ts'

const { definition, machines } = toStatesLanguage(
  workflow('large', {
    steps: [run({ kind: 'pipeline', name: 'orders' }), run({ kind: 'task', name: 'mart' }, { after: ['orders'] })],
  }),
)
const plan = { key: 'runs/run-1/orders/_plan/a', rows: 1, bytes: 2, sha256: 'abc' }
const place = { bucket: 'staging', key: 'runs/run-1/orders/_items/b' }

interface LargeRun extends ExecutionResult {
  readonly steps: Readonly<Record<string, StepOutcome>>
  readonly calls: readonly { readonly functionName: string; readonly payload: never }[]
  readonly events: readonly HistoryEvent[]
  readonly reads: readonly unknown[]
  readonly mostAtOnce: number
  readonly seconds: number
}

interface Options {
  readonly count?: number
  readonly concurrency?: number
  /** Called for each function; each takes a second. */
  readonly fails?: (functionName: string, payload: { readonly partition?: number }) => Error | undefined
  readonly read?: (attempt: number) => unknown
}

/** A run whose plan has more partitions than a payload holds. */
async function runLarge({ count = 1200, concurrency = 100, fails, read }: Options = {}): Promise<LargeRun> {
  const clock = new VirtualClock(Date.UTC(2026, 0, 2, 3))
  const start = clock.now()
  const calls: { functionName: string; payload: never }[] = []
  const events: HistoryEvent[] = []
  const reads: unknown[] = []
  let atOnce = 0
  let mostAtOnce = 0
  const table = new OutcomeTable()
  const items = Array.from({ length: count }, (_, partition) => ({ partition }))
  const outputs: Record<string, (payload: never) => unknown> = {
    DrayPlan: () => ({ plan, epoch: 7, count, partitions: [], distributed: true, items: place, concurrency }),
    OrdersLoad: ({ partition }: { partition: number }) => ({ partition }),
    DrayCommit: (payload) => table.commit(payload),
    DrayOutcome: (payload) => table.outcome(payload),
    DrayFinish: ({ steps }: FinishInput) => ({
      status: Object.values(steps).every(({ status }) => status === 'success') ? 'success' : 'failed',
    }),
  }
  const result = await execute(
    definition,
    {},
    {
      clock,
      machines,
      executionName: 'run-1',
      random: () => 0.5,
      onEvent: (event) => events.push(event),
      async readItems(where) {
        reads.push(where)
        return read === undefined ? items : read(reads.length)
      },
      executor: {
        async invoke(functionName, payload, { signal }) {
          calls.push({ functionName, payload: payload as never })
          mostAtOnce = Math.max(mostAtOnce, ++atOnce)
          await clock.sleep(1000, signal).finally(() => {
            atOnce -= 1
          })
          const error = fails?.(functionName, payload as object)
          if (error !== undefined) throw error
          return outputs[functionName]?.(payload as never) ?? payload
        },
      },
    },
  )
  const finish = calls.find(({ functionName }) => functionName === 'DrayFinish')?.payload as FinishInput | undefined
  const seconds = (clock.now() - start) / 1000
  return { ...result, steps: finish?.steps ?? {}, calls, events, reads, mostAtOnce, seconds }
}

const partitionsOf = ({ calls }: LargeRun, name: string) =>
  calls
    .filter(({ functionName }) => functionName === name)
    .map(({ payload }) => (payload as { partition: number }).partition)

describe('a plan of more than 500 partitions', () => {
  test('is done to its last partition, each once, in as many executions as may run at once', async () => {
    const large = await runLarge()

    assert.equal(large.status, 'SUCCEEDED')
    assert.deepEqual(large.reads, [place])
    const all = Array.from({ length: 1200 }, (_, partition) => partition)
    for (const name of ['OrdersExtract', 'OrdersTransform', 'OrdersLoad']) {
      assert.deepEqual(
        partitionsOf(large, name).toSorted((a, b) => a - b),
        all,
        name,
      )
    }
    assert.equal(large.mostAtOnce, 100)
    // Twelve rounds of three seconds; plan, commit, the task and finish.
    assert.equal(large.seconds, 12 * 3 + 4)
  })

  test('has the payload of every other partition', async () => {
    const { calls } = await runLarge({ count: 501 })

    assert.deepEqual(calls.find(({ functionName }) => functionName === 'OrdersExtract')?.payload, {
      version: 1,
      run: { id: 'run-1', workflow: 'large', started_at: '2026-01-02T03:00:00.000Z', trigger: 'manual' },
      pipeline: 'orders',
      plan,
      epoch: 7,
      planned_by: 'run-1',
      partition: 0,
    })
  })

  test('does not outgrow a payload at the most partitions that a plan has', async () => {
    const large = await runLarge({ count: 10_000, concurrency: 1000 })

    assert.equal(large.status, 'SUCCEEDED')
    assert.equal(large.mostAtOnce, 1000)
    assert.equal(partitionsOf(large, 'OrdersLoad').length, 10_000)
  })

  test('tries a partition again after a fault that passes', async () => {
    let faults = 0
    const fails = (name: string, { partition }: { partition?: number }) =>
      name === 'OrdersLoad' && partition === 700 && faults++ < 2 ? errorNamed('Transient') : undefined

    const large = await runLarge({ fails })

    assert.equal(large.status, 'SUCCEEDED')
    assert.equal(partitionsOf(large, 'OrdersLoad').filter((partition) => partition === 700).length, 3)
  })

  test('ends at the first partition that fails, as Step Functions does: the reason is in its own execution', async () => {
    const large = await runLarge({
      fails: (name, { partition }) =>
        name === 'OrdersTransform' && partition === 250 ? errorNamed('Terminal', 'a column is gone') : undefined,
    })

    assert.equal(large.status, 'FAILED')
    assert.deepEqual(large.steps.orders, {
      status: 'failed',
      reason: 'States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded',
    })
    assert.equal(large.steps.mart?.status, 'skipped')
    assert.ok(partitionsOf(large, 'OrdersExtract').length <= 400)
    assert.equal(partitionsOf(large, 'DrayCommit').length, 0)
    const failed = large.events.find((event) => event.type === 'map-iteration-failed')
    assert.deepEqual([failed?.index, failed?.error], [250, 'Terminal'])
  })

  test('is read again when the list cannot be read, and fails before anything has started when it never can', async () => {
    const gone = () => {
      throw new Error('no such key')
    }

    const once = await runLarge({ read: (attempt) => (attempt === 1 ? gone() : [{ partition: 0 }]) })
    const never = await runLarge({ read: gone })
    const noList = await runLarge({ read: () => ({ partition: 0 }) })

    assert.deepEqual([once.status, once.reads.length], ['SUCCEEDED', 2])
    assert.equal(never.reads.length, 4)
    assert.match(
      never.steps.orders?.reason ?? '',
      /^States\.ItemReaderFailed: .*items\/b in the bucket 'staging': no such key$/,
    )
    assert.match(noList.steps.orders?.reason ?? '', /it holds no array$/)
    assert.equal(partitionsOf(never, 'OrdersExtract').length, 0)
  })

  test('gives each partition an execution of its own, which knows nothing of the Map', async () => {
    const inside = (Output: string) => ({
      QueryLanguage: 'JSONata' as const,
      StartAt: 'each',
      States: {
        each: {
          Type: 'Map' as const,
          ItemReader: {
            Resource: 'arn:aws:states:::s3:getObject' as const,
            ReaderConfig: { InputType: 'JSON' as const },
            Arguments: { Bucket: 'b', Key: 'k' },
          },
          ItemProcessor: {
            ProcessorConfig: { Mode: 'DISTRIBUTED' as const, ExecutionType: 'STANDARD' as const },
            StartAt: 'one',
            States: { one: { Type: 'Pass' as const, Output, End: true as const } },
          },
          End: true as const,
        },
      },
    })
    const options = {
      clock: new VirtualClock(),
      executionName: 'run-1',
      executor: { invoke: async () => null },
      readItems: async () => ['a', 'b'],
    }

    const own = await execute(inside('{% $states.context.Execution.Input %}'), 'of the whole', options)
    const map = await execute(inside('{% $states.context.Map.Item.Index %}'), null, options)

    assert.deepEqual(own.output, ['a', 'b'])
    assert.equal(map.error, 'States.ExceedToleratedFailureThreshold')
  })
})
