import assert from 'node:assert/strict'
import { test } from 'node:test'
import validate from 'asl-validator'
import type { State, States } from 'dray/internal/workflow/states-language.ts'
import { stepOfState } from 'dray/internal/workflow/step-states.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, type WorkflowStep, workflow } from 'dray/internal/workflow/workflow.ts'
import fc from 'fast-check'
import { pipelineNamed, taskNamed } from './units.ts'

const customers = pipelineNamed('customers')
const orders = pipelineNamed('orders')
const dataMart = taskNamed('data-mart')

function dailyUpdate() {
  return workflow('daily-data-warehouse-update', {
    steps: [run(customers), run(orders), run(dataMart, { after: [customers, orders] })],
  })
}

/** The validator writes into what it is given. */
function errorsIn(definition: object): string {
  return validate(structuredClone(definition)).errorsText()
}

function allStates(states: States): [string, State][] {
  return Object.entries(states.States).flatMap(([name, state]): [string, State][] => {
    const inside = state.Type === 'Map' ? [state.ItemProcessor] : state.Type === 'Parallel' ? state.Branches : []
    return [[name, state], ...inside.flatMap(allStates)]
  })
}

test('lists what each placeholder stands for', () => {
  const { functions } = toStatesLanguage(dailyUpdate())

  assert.deepEqual(Object.fromEntries(functions.map(({ placeholder, handler }) => [placeholder, handler])), {
    CustomersExtract: 'functions/customers/extract.ts',
    CustomersTransform: 'functions/customers/transform.ts',
    CustomersLoad: 'functions/customers/load.ts',
    OrdersExtract: 'functions/orders/extract.ts',
    OrdersTransform: 'functions/orders/transform.ts',
    OrdersLoad: 'functions/orders/load.ts',
    DataMartRun: 'functions/data-mart/run.ts',
    DrayPlan: 'functions/dray/plan.ts',
    DrayCommit: 'functions/dray/commit.ts',
    DrayFinish: 'functions/dray/finish.ts',
  })
})

test('names in the definition exactly the placeholders that it lists', () => {
  const { definition, functions } = toStatesLanguage(dailyUpdate())

  const named = new Set(JSON.stringify(definition).match(/\$\{[^}]*\}/g))

  assert.deepEqual(named, new Set(functions.map(({ placeholder }) => `\${${placeholder}}`)))
})

test('needs no plan and no commit where there are only tasks', () => {
  const { functions } = toStatesLanguage(workflow('marts', { steps: [run(dataMart)] }))

  assert.deepEqual(
    functions.map(({ placeholder }) => placeholder),
    ['DataMartRun', 'DrayFinish'],
  )
})

test('gives readable names to states', () => {
  const { definition } = toStatesLanguage(dailyUpdate())

  const names = allStates(definition).map(([name]) => name)

  assert.deepEqual(names, [
    ...['Start', 'Valid input?', 'Invalid input'],
    'Parallel: customers, orders',
    ...['customers', 'orders'].flatMap((name) => [
      ...[name, `${name}: left out`],
      ...[
        ...['plan', 'width', 'partitions', 'extract', 'transform', 'load'],
        ...['distributed', 'distributed extract', 'distributed transform', 'distributed load'],
        ...['commit', 'refused', 'failed'],
      ].map((part) => `${name}: ${part}`),
    ]),
    ...['data-mart', 'data-mart: left out', 'data-mart: skipped', 'data-mart: run', 'data-mart: failed'],
    ...['Finish', 'Succeeded?', 'Succeeded', 'Failed'],
  ])
})

test('knows the step of a state', () => {
  assert.deepEqual(stepOfState('data-mart'), { step: 'data-mart', part: null })
  assert.deepEqual(stepOfState('customers: extract'), { step: 'customers', part: 'extract' })
  assert.deepEqual(stepOfState('customers: distributed load'), { step: 'customers', part: 'distributed load' })
  assert.equal(stepOfState('Finish'), null)
  assert.equal(stepOfState('Parallel: customers, orders'), null)
})

test('compiles the same workflow to the same bytes', () => {
  assert.equal(
    JSON.stringify(toStatesLanguage(dailyUpdate()).definition),
    JSON.stringify(toStatesLanguage(dailyUpdate()).definition),
  )
})

test('gives every task a timeout beyond its Lambda, retries, and a way out', () => {
  const { definition, functions } = toStatesLanguage(dailyUpdate())
  const timeouts = new Map(functions.map(({ placeholder, timeoutSeconds }) => [`\${${placeholder}}`, timeoutSeconds]))

  for (const [name, state] of allStates(definition)) {
    if (state.Type !== 'Task') continue
    const lambda = timeouts.get(state.Arguments.FunctionName) ?? Number.NaN
    assert.ok(lambda <= 900 && state.TimeoutSeconds > lambda, name)
    assert.ok(state.Retry?.[0]?.ErrorEquals.includes('Transient'), name)
    for (const retrier of state.Retry ?? []) assert.equal(retrier.JitterStrategy, 'FULL', name)
  }
})

test('notes the barrier that it had to put in', () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(pipelineNamed) as [
    WorkflowStep,
    WorkflowStep,
    WorkflowStep,
    WorkflowStep,
  ]

  const { notes } = toStatesLanguage(
    workflow('n-shape', { steps: [run(a), run(b), run(c, { after: [a] }), run(d, { after: [a, b] })] }),
  )

  assert.equal(notes.length, 1)
  assert.match(notes[0] ?? '', /c also waits for b/)
})

test('refuses two steps whose functions would be called the same', () => {
  const clash = workflow('clash', { steps: [run(taskNamed('mart-1')), run(taskNamed('mart1'))] })

  assert.throws(() => toStatesLanguage(clash), { name: 'Configuration', message: /both be called Mart1Run/ })
})

test('refuses a machine that is larger than Step Functions takes', () => {
  const steps = Array.from({ length: 150 }, (_, index) => run(pipelineNamed(`pipeline-${index}`)))

  assert.throws(() => toStatesLanguage(workflow('huge', { steps })), { name: 'Configuration', message: /refuses more/ })
})

test('is valid Amazon States Language', () => {
  assert.equal(errorsIn(toStatesLanguage(dailyUpdate()).definition), '')
})

test('is refused by the validator when a transition leads nowhere', () => {
  const { definition } = toStatesLanguage(dailyUpdate())

  assert.notEqual(errorsIn({ ...definition, StartAt: 'Nowhere' }), '')
})

test('is valid Amazon States Language with unique state names, for any DAG', () => {
  const dag = fc.array(fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }), { minLength: 1, maxLength: 7 })

  fc.assert(
    fc.property(dag, fc.boolean(), (rows, long) => {
      const name = (index: number) => `step-${index}${long ? '-of-a-long-name-with-very-many-words-in-it' : ''}`
      const steps = rows.map((row, index) =>
        run(index % 3 === 2 ? taskNamed(name(index)) : pipelineNamed(name(index)), {
          after: [...Array(index).keys()].filter((other) => row[other]).map(name),
        }),
      )
      const { definition } = toStatesLanguage(workflow('any', { steps }))

      const names = allStates(definition).map(([state]) => state)
      assert.equal(new Set(names).size, names.length)
      assert.ok(names.every((state) => state.length <= 80))
      assert.equal(errorsIn(definition), '')
    }),
    { seed: 11, numRuns: 25 },
  )
})
