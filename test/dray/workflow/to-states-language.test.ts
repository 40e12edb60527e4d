import assert from 'node:assert/strict'
import { test } from 'node:test'
import validate from 'asl-validator'
import { allFulfilled, failureCause, skippedReason, statusesOf } from 'dray/internal/workflow/expressions.ts'
import { stepOfState } from 'dray/internal/workflow/step-states.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, type WorkflowStep, workflow } from 'dray/internal/workflow/workflow.ts'
import { checkDefinition } from 'dray-infra/internal/states-language/check-definition.ts'
import jsonata from 'jsonata'
import { allStates, expressionsOf, randomDefinitions, someDefinitions } from './definitions.ts'
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

function typesIn(node: unknown, seen = new Set<unknown>(), types = new Set<unknown>()): ReadonlySet<unknown> {
  if (typeof node === 'object' && node !== null && !seen.has(node)) {
    seen.add(node)
    if ('type' in node) types.add(node.type)
    for (const part of Object.values(node)) typesIn(part, seen, types)
  }
  return types
}

/** Java's engine counts such a function as nested deeper with each call. */
function madeInFunctions(node: unknown, inFunction = false, seen = new Set<unknown>()): boolean {
  if (typeof node !== 'object' || node === null || seen.has(node)) return false
  seen.add(node)
  const { type, value, expressions, lhs } = node as Record<string, unknown>
  const parts = value === '[' ? expressions : value === '{' ? lhs : []
  if (inFunction && type === 'unary' && (parts as unknown[]).length > 1) return true
  return Object.values(node).some((part) => madeInFunctions(part, inFunction || type === 'lambda', seen))
}

/** Nodes within nodes; lists between them are no level. */
function levelsOf(node: unknown): number {
  if (typeof node !== 'object' || node === null) return 0
  return Math.max(0, ...Object.values(node).map(levelsOf)) + ('type' in node ? 1 : 0)
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
    'Lost: customers, orders',
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
  for (const definition of randomDefinitions()) {
    const names = allStates(definition).map(([state]) => state)
    assert.equal(new Set(names).size, names.length)
    assert.ok(names.every((state) => state.length <= 80))
    assert.equal(errorsIn(definition), '')
  }
})

test('has expressions that Step Functions takes, without a regular expression, in any definition', () => {
  const expressions = new Set(someDefinitions().flatMap(expressionsOf))

  assert.ok(expressions.size > 100, `only ${expressions.size} expressions`)
  for (const expression of expressions) {
    const types = typesIn(jsonata(expression).ast())
    assert.ok(!types.has('regex'), expression)
    assert.equal(
      madeInFunctions(jsonata(expression).ast()),
      false,
      `a list or object made in a function: ${expression}`,
    )
  }
  for (const definition of someDefinitions()) checkDefinition(definition)
})

test('has expressions that stay far from the 100 levels that one may nest, whatever the number of steps', () => {
  const before = Array.from({ length: 150 }, (_, index) => `before-${index}`)

  for (const text of [allFulfilled(before), skippedReason(before), failureCause(before), statusesOf(before)]) {
    const levels = levelsOf(jsonata(text.slice(2, -2)).ast())
    assert.ok(levels > 3 && levels < 40, `${levels} levels: ${text.slice(0, 80)}`)
  }
})
