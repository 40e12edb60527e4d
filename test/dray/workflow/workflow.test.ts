import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cron } from 'dray/internal/workflow/cron.ts'
import { reconcile } from 'dray/internal/workflow/reconcile.ts'
import { event, run, type WorkflowStep, workflow } from 'dray/internal/workflow/workflow.ts'
import { comparisonNamed, pipelineNamed, taskNamed } from './units.ts'

const customers = pipelineNamed('customers')
const orders = pipelineNamed('orders')
const dataMart = taskNamed('data-mart')

function refusalOf(build: () => unknown): string {
  try {
    build()
  } catch (error) {
    assert.equal((error as Error).name, 'Configuration')
    return (error as Error).message
  }
  assert.fail('It was not refused.')
}

test('keeps steps in the order declared, with their dependencies by name', () => {
  const daily = workflow('daily', {
    steps: [run(customers), run(dataMart, { after: [customers, 'orders', orders] }), run(orders)],
    schedule: cron('0 2 * * *', { timezone: 'Europe/Helsinki' }),
    on: event('upstream.orders', 'EntityUpdated'),
  })

  assert.deepEqual(daily, {
    name: 'daily',
    steps: [
      { kind: 'pipeline', name: 'customers', after: [] },
      { kind: 'task', name: 'data-mart', after: ['customers', 'orders'] },
      { kind: 'pipeline', name: 'orders', after: [] },
    ],
    schedules: [{ expression: '0 2 * * *', timezone: 'Europe/Helsinki' }],
    events: [{ source: 'upstream.orders', detailType: 'EntityUpdated' }],
    minInterval: 0,
    owner: null,
  })
})

test('a comparison is a step that is named after its pipeline, and may be waited for', () => {
  const { steps } = workflow('daily', {
    steps: [
      run(orders),
      comparisonNamed('orders', { after: [orders], failAbove: 3 }),
      run(dataMart, { after: [comparisonNamed('orders')] }),
    ],
  })
  const again = run(comparisonNamed('orders', { failAbove: 3 }), { after: [orders] })

  assert.deepEqual(steps.slice(1), [
    {
      kind: 'reconcile',
      name: 'reconcile-orders',
      after: ['orders'],
      reconciled: { pipeline: 'orders', deep: false, failAbove: 3 },
    },
    { kind: 'task', name: 'data-mart', after: ['reconcile-orders'] },
  ])
  assert.deepEqual(again, steps[1])
  assert.match(
    refusalOf(() => workflow('daily', { steps: [comparisonNamed('orders'), comparisonNamed('orders')] })),
    /runs reconcile-orders twice/,
  )
  for (const none of [dataMart, 'orders']) {
    assert.match(
      refusalOf(() => reconcile(none as never)),
      /reconcile\(\) compares the tables of a pipeline, and (data-mart|orders) is none/,
    )
  }
})

test('takes the least interval between runs of events in seconds, and refuses one without events', () => {
  const on = event('upstream.orders', 'EntityUpdated')
  const seldom = workflow('seldom', { steps: [run(orders)], on, minInterval: '15m' })

  assert.equal(seldom.minInterval, 900)
  assert.throws(() => workflow('daily', { steps: [run(orders)], minInterval: '15m' }), /a minInterval but no events/)
  assert.throws(() => workflow('daily', { steps: [run(orders)], on, minInterval: '15 minutes' as '15m' }), /write 30s/)
})

test('takes several schedules and events, or none', () => {
  const nightly = cron('0 2 * * *', { timezone: 'UTC' })
  const weekly = cron('0 3 * * SUN', { timezone: 'UTC' })

  const often = workflow('often', { steps: [run(orders)], schedule: [nightly, weekly], on: [event('a', 'B')] })
  const manual = workflow('manual', { steps: [run(orders)] })

  assert.deepEqual(often.schedules, [nightly, weekly])
  assert.deepEqual([manual.schedules, manual.events], [[], []])
})

const refusals: [name: string, steps: readonly WorkflowStep[], message: RegExp][] = [
  ['no steps', [], /^Workflow daily has no steps .*; add run/],
  ['a step twice', [run(orders), run(orders)], /^Workflow daily runs orders twice/],
  [
    'an unknown dependency',
    [run(dataMart, { after: [orders] })],
    /data-mart is to run after orders, which is not a step/,
  ],
  ['a step after itself', [run(orders, { after: [orders] })], /: orders → orders is a cycle/],
  [
    'a cycle behind other steps',
    [run(customers), run(orders, { after: ['customers', 'data-mart'] }), run(dataMart, { after: ['orders'] })],
    /: (orders → data-mart → orders|data-mart → orders → data-mart) is a cycle/,
  ],
  ['a name in camel case', [run(pipelineNamed('dataMart'))], /step 'dataMart' is not named in kebab-case/],
  ['a name with two hyphens', [run(pipelineNamed('data--mart'))], /'data--mart' is not named in kebab-case/],
  ['a name of 51 characters', [run(pipelineNamed('a'.repeat(51)))], /a name of 51 characters/],
  ['the name of the shared functions', [run(taskNamed('dray'))], /cannot be named dray/],
]
for (const [name, steps, message] of refusals) {
  test(`refuses ${name}`, () => {
    assert.match(
      refusalOf(() => workflow('daily', { steps })),
      message,
    )
  })
}

test('refuses a workflow whose own name is not kebab-case', () => {
  assert.match(
    refusalOf(() => workflow('Daily Update', { steps: [run(orders)] })),
    /^Workflow 'Daily Update' is not named in kebab-case/,
  )
})

test('refuses an event that would match nothing', () => {
  assert.match(
    refusalOf(() => event('upstream.orders', '')),
    /has an empty part/,
  )
})
