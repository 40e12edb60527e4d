import assert from 'node:assert/strict'
import { test } from 'node:test'
import validate from 'asl-validator'
import { allFulfilled, failureCause, skippedReason, statusesOf } from 'dray/internal/workflow/expressions.ts'
import type { Retrier, StateMachine } from 'dray/internal/workflow/states-language.ts'
import { everyFunction, toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, type WorkflowStep, workflow } from 'dray/internal/workflow/workflow.ts'
import { checkDefinition } from 'dray-infra/internal/states-language/check-definition.ts'
import jsonata from 'jsonata'
import { allStates, byLevels, definitionsOf, expressionsOf, randomWorkflows, someDefinitions } from './definitions.ts'
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
  const compiled = toStatesLanguage(dailyUpdate())

  const functions = everyFunction(compiled).map(({ placeholder, handler }) => [placeholder, handler])
  const machines = [...compiled.machines].map(([placeholder, { name }]) => [placeholder, name])
  assert.deepEqual(Object.fromEntries(machines), { CustomersMachine: 'customers', OrdersMachine: 'orders' })
  assert.deepEqual(Object.fromEntries(functions), {
    CustomersExtract: 'functions/customers/extract.ts',
    CustomersTransform: 'functions/customers/transform.ts',
    CustomersLoad: 'functions/customers/load.ts',
    OrdersExtract: 'functions/orders/extract.ts',
    OrdersTransform: 'functions/orders/transform.ts',
    OrdersLoad: 'functions/orders/load.ts',
    DataMartRun: 'functions/data-mart/run.ts',
    DrayPlan: 'functions/dray/plan.ts',
    DrayCommit: 'functions/dray/commit.ts',
    DrayOutcome: 'functions/dray/outcome.ts',
    DrayFinish: 'functions/dray/finish.ts',
  })
})

test('names in the definition exactly the placeholders that it lists', () => {
  const { definition, functions, machines } = toStatesLanguage(dailyUpdate())
  const placeholdersIn = (machine: object) => new Set(JSON.stringify(machine).match(/\$\{[^}]*\}/g))
  const written = (placeholders: Iterable<string>) => new Set([...placeholders].map((each) => `\${${each}}`))

  assert.deepEqual(
    placeholdersIn(definition),
    written([...functions.map(({ placeholder }) => placeholder), ...machines.keys()]),
  )
  for (const machine of machines.values()) {
    assert.deepEqual(
      placeholdersIn(machine.definition),
      written(machine.functions.map(({ placeholder }) => placeholder)),
    )
  }
})

test('needs no plan, no commit and no outcome of a pipeline where there are only tasks', () => {
  const { functions } = toStatesLanguage(workflow('marts', { steps: [run(dataMart)] }))

  assert.deepEqual(
    functions.map(({ placeholder }) => placeholder),
    ['DataMartRun', 'DrayFinish'],
  )
})

test('gives readable names to states', () => {
  const { definition, machines } = toStatesLanguage(dailyUpdate())

  const names = allStates(definition).map(([name]) => name)
  const ofPipelines = [...machines.values()].map((machine) => allStates(machine.definition).map(([name]) => name))

  const ofPipeline = [
    ...['Start', 'Valid input?', 'Invalid input'],
    ...['Plan', 'Width', 'Partitions', 'Extract', 'Transform', 'Load'],
    ...['Distributed', 'Distributed extract', 'Distributed transform', 'Distributed load'],
    ...['Commit', 'Refused', 'Failed', 'Outcome', 'Of a workflow?'],
    ...['Finish', 'Succeeded?', 'Succeeded', 'Did not succeed'],
  ]
  assert.deepEqual(ofPipelines, [ofPipeline, ofPipeline])
  assert.deepEqual(names, [
    ...['Start', 'Valid input?', 'Invalid input'],
    'customers and orders',
    ...['due', 'left out', 'skipped', 'run', 'outcome', 'failed', 'lost'].map(
      (part) => `customers and orders: ${part}`,
    ),
    ...['data-mart', 'data-mart: left out', 'data-mart: skipped', 'data-mart: run', 'data-mart: failed'],
    ...['Finish', 'Succeeded?', 'Succeeded', 'Failed'],
  ])
})

test('compiles the same workflow to the same bytes', () => {
  assert.equal(JSON.stringify(definitionsOf([dailyUpdate()])), JSON.stringify(definitionsOf([dailyUpdate()])))
})

test('gives every task a timeout beyond its Lambda, retries, and a way out', () => {
  const functions = everyFunction(toStatesLanguage(dailyUpdate()))
  const timeouts = new Map(functions.map(({ placeholder, timeoutSeconds }) => [`\${${placeholder}}`, timeoutSeconds]))

  for (const [name, state] of definitionsOf([dailyUpdate()]).flatMap(allStates)) {
    if (state.Type !== 'Task' || !('FunctionName' in state.Arguments)) continue
    const lambda = timeouts.get(state.Arguments.FunctionName) ?? Number.NaN
    assert.ok(lambda <= 900 && state.TimeoutSeconds > lambda, name)
    const retried = state.Retry?.flatMap(({ ErrorEquals }) => ErrorEquals) ?? []
    assert.ok(retried.includes('Transient') || retried.includes('States.TaskFailed'), name)
    for (const retrier of state.Retry ?? []) assert.equal(retrier.JitterStrategy, 'FULL', name)
  }
})

/** Seconds that the retries of an error wait in all, on average: each wait is any part of its longest. */
function meanWaits(retriers: readonly Retrier[], error: string): number {
  const {
    IntervalSeconds = 1,
    MaxAttempts = 3,
    BackoffRate = 2,
    MaxDelaySeconds = Number.POSITIVE_INFINITY,
  } = retriers.find(({ ErrorEquals }) => ErrorEquals.includes(error)) ?? { MaxAttempts: 0 }
  const waits = Array.from({ length: MaxAttempts }, (_, n) =>
    Math.min(IntervalSeconds * BackoffRate ** n, MaxDelaySeconds),
  )
  return waits.reduce((sum, wait) => sum + wait, 0) / 2
}

test('waits five minutes for a function that was idle for weeks, for its network, and for free concurrency', () => {
  const minutes = [
    'ResourceNotReady',
    'TooManyRequests',
    'ENILimitReached',
    'ENINotReady',
    'SubnetIPAddressLimitReached',
  ]

  for (const [name, state] of definitionsOf([dailyUpdate()]).flatMap(allStates)) {
    if (state.Type !== 'Task' || !('FunctionName' in state.Arguments)) continue
    for (const error of minutes) assert.ok(meanWaits(state.Retry ?? [], `Lambda.${error}Exception`) >= 300, name)
  }
})

test('waits for a pipeline longer than it may take, starts it again after faults of the start alone, and has a way out', () => {
  const { definition, machines } = toStatesLanguage(dailyUpdate())

  const nested = allStates(definition).flatMap(([, state]) =>
    state.Type === 'Task' && 'StateMachineArn' in state.Arguments ? [state] : [],
  )

  assert.equal(nested.length, 1)
  for (const { TimeoutSeconds, Retry = [], Catch = [] } of nested) {
    for (const machine of machines.values()) {
      assert.ok(TimeoutSeconds > (machine.definition.TimeoutSeconds ?? Number.POSITIVE_INFINITY))
    }
    const retried = Retry.flatMap(({ ErrorEquals }) => ErrorEquals)
    assert.ok(retried.length > 0)
    assert.ok(retried.every((error) => error.startsWith('StepFunctions.') && !error.includes('AlreadyExists')))
    assert.ok(Retry.every(({ JitterStrategy }) => JitterStrategy === 'FULL'))
    assert.deepEqual(Catch.at(-1)?.ErrorEquals, ['States.ALL'])
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

test('refuses two pipelines whose machines would be called the same', () => {
  const clash = workflow('clash', { steps: [run(pipelineNamed('mart-1')), run(pipelineNamed('mart1'))] })

  assert.throws(() => toStatesLanguage(clash), { name: 'Configuration', message: /both be called Mart1/ })
})

test('refuses a machine that is larger than Step Functions takes', () => {
  const name = (index: number) => `a-task-with-a-name-that-is-quite-long-${index}`
  const steps = Array.from({ length: 300 }, (_, index) =>
    run(taskNamed(name(index)), { after: Array.from({ length: index }, (_each, before) => name(before)) }),
  )

  assert.throws(() => toStatesLanguage(workflow('huge', { steps })), { name: 'Configuration', message: /refuses more/ })
})

const shapes: [shape: string, after: (index: number) => readonly number[], levels: number | null][] = [
  ['of which none waits for another', () => [], null],
  [
    'of which each waits for ten others',
    (index) => Array.from({ length: 10 }, (_, place) => 10 * (Math.floor(index / 10) - 1) + place),
    null,
  ],
  ['in a hundred rows of three', (index) => (index % 3 === 0 ? [] : [index - 1]), 3],
  ['in one row', (index) => [index - 1], 300],
  ['in a tree', (index) => [Math.ceil(index / 2) - 1], 9],
]
for (const [shape, after, levels] of shapes) {
  test(`has room for 300 pipelines ${shape}`, () => {
    const name = (index: number) => `a-pipeline-with-one-of-the-longest-names-there-${index}`
    const steps = Array.from({ length: 300 }, (_, index) =>
      run(pipelineNamed(name(index)), {
        after: after(index)
          .filter((other) => other >= 0)
          .map(name),
      }),
    )

    const { definition, machines, notes } = toStatesLanguage(workflow('large', { steps }))

    assert.ok(sizeOf(definition) < 0.8 * 1024 * 1024, `${sizeOf(definition)} bytes`)
    for (const machine of machines.values()) assert.ok(sizeOf(machine.definition) < 64 * 1024)
    const names = allStates(definition).map(([each]) => each)
    assert.deepEqual(
      names.filter((each) => /^Level \d/.test(each)),
      Array.from({ length: levels ?? 0 }, (_, index) => `Level ${index + 1}`),
    )
    assert.match(notes.join(), levels === null ? /^$/ : new RegExp(`in ${levels} levels, each after the whole`))
  })
}

function sizeOf(machine: StateMachine): number {
  const arn = `arn:aws:states:eu-central-1:123456789012:stateMachine:${'x'.repeat(80)}`
  return Buffer.byteLength(JSON.stringify(machine).replace(/\$\{\w+\}/g, arn))
}

test('gives readable names to the states of steps that run level by level', () => {
  const names = allStates(byLevels(dailyUpdate()).definition).map(([name]) => name)

  assert.deepEqual(names, [
    ...['Start', 'Valid input?', 'Invalid input', 'Level 1', 'Level 2', 'Steps'],
    ...['due', 'left out', 'skipped', 'run', 'outcome', 'failed', 'task?', 'task', 'task failed', 'lost'].map(
      (part) => `Steps: ${part}`,
    ),
    ...['Next level', 'Finish', 'Succeeded?', 'Succeeded', 'Failed'],
  ])
})

test('is valid Amazon States Language', () => {
  for (const definition of definitionsOf([dailyUpdate()])) assert.equal(errorsIn(definition), '')
})

test('is refused by the validator when a transition leads nowhere', () => {
  const { definition } = toStatesLanguage(dailyUpdate())

  assert.notEqual(errorsIn({ ...definition, StartAt: 'Nowhere' }), '')
})

test('is valid Amazon States Language with unique state names, for any DAG', () => {
  for (const definition of [...definitionsOf(randomWorkflows()), byLevels(dailyUpdate()).definition]) {
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
