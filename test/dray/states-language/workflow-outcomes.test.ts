import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FinishInput, OutcomeInput, StepOutcome } from 'dray/internal/messages/stages.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, type Workflow, type WorkflowUnit, workflow } from 'dray/internal/workflow/workflow.ts'
import { type ExecutionResult, execute, StatesError } from 'dray-infra/internal/states-language/index.ts'
import { errorNamed } from './machine.ts'
import { OutcomeTable } from './outcome-table.ts'
import { VirtualClock } from './virtual-clock.ts'

const unit = (kind: WorkflowUnit['kind'], name: string): WorkflowUnit => ({ kind, name })
const customers = unit('pipeline', 'customers')
const orders = unit('pipeline', 'orders')
const dataMart = unit('task', 'data-mart')
const daily = workflow('daily', {
  steps: [run(customers), run(orders), run(dataMart, { after: [customers, orders] })],
})

type Overrides = Readonly<Record<string, (payload: never) => unknown>>

interface Outcome extends ExecutionResult {
  readonly steps: Readonly<Record<string, StepOutcome>>
  readonly calls: readonly { readonly functionName: string; readonly payload: unknown }[]
  readonly table: OutcomeTable
}

const planned = (partitions: number) => ({
  plan: { key: 'plans/1', rows: 1, bytes: 2, sha256: 'abc' },
  epoch: 7,
  partitions: Array.from({ length: partitions }, (_, partition) => ({ partition })),
  concurrency: 2,
})

async function outcomeOf(given: Workflow, overrides: Overrides, input: unknown = {}): Promise<Outcome> {
  const calls: { functionName: string; payload: unknown }[] = []
  const table = new OutcomeTable()
  const functions: Overrides = {
    DrayPlan: () => planned(1),
    DrayCommit: (payload) => table.commit(payload),
    DrayOutcome: (payload: OutcomeInput) => table.outcome(payload),
    DrayFinish: ({ steps }: FinishInput) => ({
      status: Object.values(steps).every(({ status }) => status === 'success') ? 'success' : 'failed',
    }),
    ...overrides,
  }
  const { definition, machines } = toStatesLanguage(given)
  const result = await execute(definition, input, {
    clock: new VirtualClock(Date.UTC(2026, 0, 2, 3)),
    machines,
    executionName: 'run-1',
    executor: {
      async invoke(functionName, payload) {
        calls.push({ functionName, payload })
        return functions[functionName] === undefined ? payload : await functions[functionName](payload as never)
      },
    },
  })
  const finish = calls.find(({ functionName }) => functionName === 'DrayFinish')?.payload as FinishInput | undefined
  return { ...result, steps: finish?.steps ?? {}, calls, table }
}

const runReference = { id: 'run-1', workflow: 'daily', started_at: '2026-01-02T03:00:00.000Z', trigger: 'manual' }

test('gives each function the payload of its contract', async () => {
  const only = workflow('daily', { steps: [run(customers), run(dataMart, { after: [customers] })] })

  const { calls, status } = await outcomeOf(only, {
    CustomersExtract: (payload: object) => ({ ...payload, extracted: 'e' }),
    CustomersTransform: (payload: object) => ({
      ...payload,
      transformed: 't',
      filtered: 0,
      quarantined: null,
      findings: null,
    }),
    CustomersLoad: () => ({ partition: 0, more: 'than needed' }),
  })

  const { plan } = planned(1)
  const version = 1
  const place = { version, run: runReference, pipeline: 'customers' }
  const extract = { ...place, plan, epoch: 7, partition: 0, planned_by: 'run-1' }
  const load = { ...extract, extracted: 'e', transformed: 't', filtered: 0, quarantined: null, findings: null }
  assert.equal(status, 'SUCCEEDED')
  assert.deepEqual(calls.slice(0, -1), [
    {
      functionName: 'DrayPlan',
      payload: { ...place, mode: null, only: null, entities: null },
    },
    { functionName: 'CustomersExtract', payload: extract },
    { functionName: 'CustomersTransform', payload: { ...extract, extracted: 'e' } },
    { functionName: 'CustomersLoad', payload: load },
    {
      functionName: 'DrayCommit',
      payload: { ...place, plan, epoch: 7, planned_by: 'run-1' },
    },
    { functionName: 'DataMartRun', payload: { version, run: runReference, task: 'data-mart', mode: null, only: null } },
  ])
})

test('tells Plan and tasks, and no other function, what the run was asked to do', async () => {
  const only = workflow('daily', { steps: [run(customers), run(dataMart, { after: [customers] })] })
  const mode = { resume: 'run-0' }

  const { calls } = await outcomeOf(
    only,
    { DrayPlan: () => ({ ...planned(1), planned_by: 'run-0' }) },
    { trigger: 'manual', mode },
  )

  const told = calls.filter(({ payload }) => 'mode' in (payload as object))
  assert.deepEqual(
    told.map(({ functionName, payload }) => [functionName, (payload as { mode: unknown }).mode]),
    [
      ['DrayPlan', mode],
      ['DataMartRun', mode],
    ],
  )
  const commit = calls.find(({ functionName }) => functionName === 'DrayCommit')?.payload
  assert.equal((commit as { planned_by: string }).planned_by, 'run-0')
})

test('carries the outcome of every step to Finish and to the output', async () => {
  const { steps, output } = await outcomeOf(daily, {})

  const success = { status: 'success', reason: null }
  const expected = { customers: success, orders: success, 'data-mart': success }
  assert.deepEqual(steps, expected)
  assert.deepEqual(output, { run: runReference, steps: expected, finish: { status: 'success' } })
})

for (const partitions of [0, 1, 2, 500]) {
  test(`runs a plan of ${partitions} partitions`, async () => {
    const { status, calls } = await outcomeOf(workflow('one', { steps: [run(orders)] }), {
      DrayPlan: () => planned(partitions),
    })

    const loaded = calls.filter(({ functionName }) => functionName === 'OrdersLoad')
    assert.equal(status, 'SUCCEEDED')
    assert.deepEqual(
      loaded.map(({ payload }) => (payload as { partition: number }).partition).sort((one, other) => one - other),
      [...Array(partitions).keys()],
    )
  })
}

const triggers: [input: unknown, trigger: string][] = [
  [{ trigger: 'schedule' }, 'schedule'],
  [{}, 'manual'],
  [{ trigger: 'manual', mode: { resume: 'run-0' } }, 'manual'],
]
for (const [input, trigger] of triggers) {
  test(`takes the trigger ${trigger} from the input ${JSON.stringify(input)}`, async () => {
    const { calls } = await outcomeOf(workflow('one', { steps: [run(dataMart)] }), {}, input)

    assert.deepEqual(calls[0]?.payload, {
      version: 1,
      run: { ...runReference, workflow: 'one', trigger },
      task: 'data-mart',
      mode: (input as { mode?: object }).mode ?? null,
      only: null,
    })
  })
}

const reasons: [what: string, thrown: Error, reason: string][] = [
  ['a plain message', errorNamed('Terminal', 'The table orders is missing.'), 'Terminal: The table orders is missing.'],
  ['quotes, lines and backslashes', errorNamed('Terminal', 'a "b"\n\tc \\n d\\'), 'Terminal: a "b"  c \\n d\\'],
  ['control characters', errorNamed('Terminal', 'a\u0000b'), 'Terminal: a b'],
  ['other scripts', errorNamed('Terminal', 'Äänekoski 東京 😀'), 'Terminal: Äänekoski 東京 😀'],
  ['no message', errorNamed('Terminal', ''), 'Terminal'],
  [
    'brackets and slashes',
    errorNamed('Terminal', '{a} [b] (c) /d/ $e {% 1 %}'),
    'Terminal: {a} [b] (c) /d/ $e {% 1 %}',
  ],
  ['a long message', errorNamed('Terminal', '😀'.repeat(50_000)), `Terminal: ${'😀'.repeat(300)}`],
  ['a cause that is no JSON', new StatesError('Some.Exception', 'Rate exceeded'), 'Some.Exception: Rate exceeded'],
  [
    'a cause that was cut off',
    new StatesError('Terminal', '{"errorType":"Terminal","errorMessage":"It \\"was'),
    'Terminal: It "was',
  ],
  ['an empty cause', new StatesError('Some.Exception', ''), 'Some.Exception'],
  ['another JSON as cause', new StatesError('Some.Exception', '{"a":1}'), 'Some.Exception: {"a":1}'],
]
for (const [what, thrown, reason] of reasons) {
  test(`gives as the reason of a failure ${what}`, async () => {
    const fail = () => {
      throw thrown
    }
    const given = workflow('two', { steps: [run(orders), run(dataMart)] })

    const { steps, table } = await outcomeOf(given, { OrdersLoad: fail, DataMartRun: fail })

    assert.deepEqual(table.of('orders'), { status: 'failed', reason })
    assert.deepEqual(steps['data-mart'], { status: 'failed', reason })
    assert.deepEqual(steps.orders, { status: 'failed', reason: [...reason].slice(0, 160).join('') })
  })
}

test('lets the other branch go on, and skips what depends on the failed one', async () => {
  const { steps, status, error, cause } = await outcomeOf(daily, {
    OrdersExtract: () => {
      throw errorNamed('Terminal', 'gone')
    },
  })

  assert.equal(steps.customers?.status, 'success')
  assert.deepEqual(steps.orders, { status: 'failed', reason: 'Terminal: gone' })
  assert.deepEqual(steps['data-mart'], { status: 'skipped', reason: 'Skipped, since orders failed.' })
  assert.deepEqual([status, error, cause], ['FAILED', 'WorkflowFailed', 'orders failed, data-mart was skipped.'])
})

test('refuses a step whose lease is held, and says so to those that depend on it', async () => {
  const { steps } = await outcomeOf(daily, {
    DrayPlan: ({ pipeline }: { pipeline: string }) => {
      if (pipeline === 'customers') throw errorNamed('LeaseHeld', 'held by run-0')
      throw errorNamed('Terminal', 'gone')
    },
  })

  assert.deepEqual(steps, {
    customers: { status: 'refused', reason: 'LeaseHeld: held by run-0' },
    orders: { status: 'failed', reason: 'Terminal: gone' },
    'data-mart': { status: 'skipped', reason: 'Skipped, since customers was refused, orders failed.' },
  })
})

test('asks every direct dependency, also one that another makes redundant in the order', async () => {
  const chain = workflow('chain', {
    steps: [run(orders), run(customers, { after: [orders] }), run(dataMart, { after: [orders, customers] })],
  })

  const { steps } = await outcomeOf(chain, {
    OrdersLoad: () => {
      throw errorNamed('Terminal', 'gone')
    },
  })

  assert.equal(steps['data-mart']?.reason, 'Skipped, since orders failed, customers was skipped.')
})

test('fails a step whose result is more than a state may hold', async () => {
  const { steps } = await outcomeOf(daily, { OrdersExtract: () => 'x'.repeat(300_000) })

  assert.match(steps.orders?.reason ?? '', /^States\.DataLimitExceeded: /)
  assert.equal(steps.customers?.status, 'success')
})

test('ends failed when Finish says so though all steps succeeded', async () => {
  const { status, cause } = await outcomeOf(daily, { DrayFinish: () => ({ status: 'failed' }) })

  assert.deepEqual([status, cause], ['FAILED', 'Finish ended the run as failed.'])
})

test('runs only the steps that it is asked for, and takes those that are left out for fulfilled', async () => {
  const { steps, status, calls } = await outcomeOf(daily, {}, { only: ['orders', 'data-mart'] })

  assert.equal(status, 'SUCCEEDED')
  assert.deepEqual(Object.keys(steps), ['orders', 'data-mart'])
  assert.ok(!calls.some(({ functionName }) => functionName.startsWith('Customers')))
  const told = calls.filter(({ payload }) => 'only' in (payload as object))
  assert.deepEqual(
    told.map(({ functionName }) => functionName),
    ['DrayPlan', 'DataMartRun', 'DrayFinish'],
  )
})

test('skips a step that was asked for when another one that was asked for failed, and names no other', async () => {
  const { steps, cause } = await outcomeOf(
    daily,
    {
      OrdersLoad: () => {
        throw errorNamed('Terminal', 'gone')
      },
    },
    { only: ['data-mart', 'orders'] },
  )

  assert.equal(steps['data-mart']?.reason, 'Skipped, since orders failed.')
  assert.equal(cause, 'orders failed, data-mart was skipped.')
})

test('stays within the data limit with 60 failing steps side by side after 40 others', async () => {
  const first = Array.from({ length: 40 }, (_, index) => unit('task', `first-${index}`))
  const second = Array.from({ length: 60 }, (_, index) => unit('task', `second-${index}`))
  const wide = workflow('wide', {
    steps: [...first.map((task) => run(task)), ...second.map((task) => run(task, { after: first }))],
  })
  const fail = () => {
    throw errorNamed('Terminal', '東'.repeat(400))
  }

  const { steps, status } = await outcomeOf(
    wide,
    Object.fromEntries(second.map((_, index) => [`Second${index}Run`, fail])),
  )

  assert.equal(status, 'FAILED')
  assert.equal(Object.keys(steps).length, 100)
  assert.equal(steps['second-59']?.status, 'failed')
})

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}

test('stays within the data limit when 300 pipelines fail with the longest reasons', async () => {
  const names = Array.from({ length: 300 }, (_, index) => `a-pipeline-with-one-of-the-longest-names-there-${index}`)
  const wide = workflow('wide', { steps: names.map((name) => run(unit('pipeline', name))) })
  const fail = () => {
    throw errorNamed('Terminal', '😀'.repeat(200))
  }
  const failures: Overrides[] = [
    // A pipeline's words, as they are written down.
    { DrayPlan: fail, DrayOutcome: () => ({ status: 'failed', reason: '😀'.repeat(200) }) },
    { DrayPlan: fail, DrayOutcome: fail },
  ]

  for (const overrides of failures) {
    const { steps, status, error } = await outcomeOf(wide, overrides)

    assert.deepEqual([status, error], ['FAILED', 'WorkflowFailed'])
    assert.deepEqual(Object.keys(steps), names)
    // Beside them a payload has the steps that the run was asked for, and those that failed.
    assert.ok(bytesOf(steps) + 2 * bytesOf(names) < 256 * 1024)
    for (const outcome of Object.values(steps)) {
      assert.equal(outcome.status, 'failed')
      assert.match(outcome.reason ?? '', /😀{100}/u)
    }
  }
})
