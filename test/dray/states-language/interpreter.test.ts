import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { State } from 'dray/internal/workflow/states-language.ts'
import { substitute } from 'dray-infra/internal/states-language/index.ts'
import { errorNamed, machineOf, runMachine, taskOf } from './machine.ts'

test('passes the output of a state to the next one, and that of the last one out', async () => {
  const { status, output } = await runMachine(
    {
      first: { Type: 'Pass', Output: { doubled: '{% $states.input.n * 2 %}', kept: ['as', 1, null] }, Next: 'second' },
      second: taskOf('Add', { Next: 'end' }),
      end: { Type: 'Succeed' },
    },
    { n: 4 },
    { Add: (payload) => ({ ...(payload as object), added: true }) },
  )

  assert.deepEqual(
    { status, output },
    { status: 'SUCCEEDED', output: { doubled: 8, kept: ['as', 1, null], added: true } },
  )
})

test('binds the context of the execution, the state and the retry', async () => {
  const { output } = await runMachine(
    { only: taskOf('Flaky', { Output: '{% $states.context %}', Retry: [{ ErrorEquals: ['Once'] }], End: true }) },
    { given: 1 },
    {
      Flaky: (_, { call }) => {
        if (call === 1) throw errorNamed('Once')
      },
    },
  )

  assert.deepEqual(output, {
    Execution: {
      Id: 'local:local:run-1',
      Input: { given: 1 },
      Name: 'run-1',
      StartTime: '1970-01-01T00:00:00.000Z',
      RedriveCount: 0,
    },
    StateMachine: { Id: 'local:local', Name: 'local' },
    State: { EnteredTime: '1970-01-01T00:00:00.000Z', Name: 'only', RetryCount: 1 },
  })
})

test('gives the whole answer of the Lambda as the result', async () => {
  const { output } = await runMachine({ only: taskOf('Nothing', { Output: '{% $states.result %}', End: true }) }, {})

  assert.deepEqual(output, { ExecutedVersion: '$LATEST', Payload: null, StatusCode: 200 })
})

test('takes the first choice that holds, else the default', async () => {
  const choose = {
    choice: {
      Type: 'Choice',
      Choices: [
        { Condition: '{% $states.input > 10 %}', Next: 'large' },
        { Condition: '{% $states.input > 5 %}', Next: 'medium' },
      ],
      Default: 'small',
    },
    large: { Type: 'Pass', Output: 'large', End: true },
    medium: { Type: 'Pass', Output: 'medium', End: true },
    small: { Type: 'Pass', Output: 'small', End: true },
  } as const

  const outputs = await Promise.all([20, 7, 1].map(async (n) => (await runMachine(choose, n)).output))

  assert.deepEqual(outputs, ['large', 'medium', 'small'])
})

test('fails when no choice holds, and when a condition is not a boolean', async () => {
  const end = { Type: 'Succeed' } as const
  const none = await runMachine(
    { choice: { Type: 'Choice', Choices: [{ Condition: '{% false %}', Next: 'end' }] }, end },
    {},
  )
  const text = await runMachine(
    { choice: { Type: 'Choice', Choices: [{ Condition: '{% "true" %}', Next: 'end' }] }, end },
    {},
  )

  assert.equal(none.error, 'States.NoChoiceMatched')
  assert.equal(text.error, 'States.QueryEvaluationError')
})

test('fails with the error and the cause of a Fail', async () => {
  const { status, error, cause } = await runMachine(
    { end: { Type: 'Fail', Error: 'Refused', Cause: '{% "because of " & $states.input %}' } },
    'orders',
  )

  assert.deepEqual({ status, error, cause }, { status: 'FAILED', error: 'Refused', cause: 'because of orders' })
})

test('reports an error of a function by its name, with a cause like that of a Lambda', async () => {
  const { status, error, cause } = await runMachine(
    { only: taskOf('Broken') },
    {},
    {
      Broken: () => {
        throw errorNamed('Terminal', 'no "such" table')
      },
    },
  )

  assert.deepEqual([status, error], ['FAILED', 'Terminal'])
  assert.deepEqual(JSON.parse(cause ?? ''), { errorType: 'Terminal', errorMessage: 'no "such" table' })
})

test('fails an expression without a value instead of leaving it out', async () => {
  const { error, cause } = await runMachine(
    { only: { Type: 'Pass', Output: { id: '{% $states.input.missing %}' }, End: true } },
    { present: 1 },
  )

  assert.equal(error, 'States.QueryEvaluationError')
  assert.match(cause ?? '', /'only'.*\$states\.input\.missing has no value/)
})

test('catches an expression that fails on the result of a task', async () => {
  const { status, output } = await runMachine(
    {
      only: taskOf('Nothing', {
        Output: '{% $states.result.Payload.missing %}',
        Catch: [{ ErrorEquals: ['States.QueryEvaluationError'], Next: 'caught' }],
        End: true,
      }),
      caught: { Type: 'Pass', Output: '{% $states.input.Error %}', End: true },
    },
    {},
  )

  assert.deepEqual([status, output], ['SUCCEEDED', 'States.QueryEvaluationError'])
})

test('shares no value between a function and the states', async () => {
  const { output } = await runMachine(
    { first: taskOf('Spoil', { Output: '{% $states.input %}', End: true }) },
    { list: [1] },
    {
      Spoil: (payload) => {
        ;(payload as { list: number[] }).list.push(2)
      },
    },
  )

  assert.deepEqual(output, { list: [1] })
})

test('substitutes placeholders, and leaves the name of one that has no value', () => {
  const replaced = substitute(machineOf({ one: taskOf('One'), two: taskOf('Two') }), { One: 'arn:one' })

  assert.deepEqual(
    Object.values(replaced.States).map((state) => 'Arguments' in state && state.Arguments),
    ['arn:one', 'Two'].map((FunctionName) => ({ FunctionName, Payload: '{% $states.input %}' })),
  )
})

test('tells what happened, in order', async () => {
  const { events } = await runMachine(
    {
      work: taskOf('Flaky', { Retry: [{ ErrorEquals: ['Once'], IntervalSeconds: 3 }], Next: 'end' }),
      end: { Type: 'Succeed' },
    },
    'in',
    {
      Flaky: async (_, { call, wait }) => {
        await wait(1)
        if (call === 1) throw errorNamed('Once')
        return 'out'
      },
    },
  )

  const told = events.map(({ at, type, ...rest }) => [at, type, 'state' in rest ? rest.state : null])
  assert.deepEqual(told, [
    [0, 'execution-started', null],
    [0, 'state-entered', 'work'],
    [0, 'task-scheduled', 'work'],
    [1000, 'task-failed', 'work'],
    [1000, 'task-retried', 'work'],
    [4000, 'task-scheduled', 'work'],
    [5000, 'task-succeeded', 'work'],
    [5000, 'state-exited', 'work'],
    [5000, 'state-entered', 'end'],
    [5000, 'state-exited', 'end'],
    [5000, 'execution-succeeded', null],
  ])
})

test('stops at the data limit: as input, payload, result and output', async () => {
  const large = 'é'.repeat(131_070)
  const tooLarge = `${large}éé`
  const doubled = { Type: 'Pass', Output: '{% [$states.input, $states.input] %}', End: true } as const

  const fits = await runMachine({ only: taskOf('Echo', { Output: 'done', End: true }) }, large, { Echo: () => null })
  const input = await runMachine({ only: { Type: 'Pass', End: true } }, tooLarge)
  const result = await runMachine({ only: taskOf('Large') }, {}, { Large: () => tooLarge })
  const output = await runMachine({ only: doubled }, large)
  const payload = await runMachine(
    {
      only: taskOf('Echo', { Arguments: { FunctionName: 'Echo', Payload: ['{% $states.input %}', 1, 2] }, End: true }),
    },
    large,
    { Echo: () => assert.fail('The function must not be called.') },
  )

  assert.equal(fits.status, 'SUCCEEDED')
  for (const { error } of [input, result, output, payload]) assert.equal(error, 'States.DataLimitExceeded')
})

test('catches the data limit by its name and by States.ALL, but not as a failure of a task', async () => {
  const catching = (name: string) =>
    runMachine(
      {
        only: taskOf('Large', { Catch: [{ ErrorEquals: [name], Next: 'caught' }], End: true }),
        caught: { Type: 'Pass', Output: 'caught', End: true },
      },
      {},
      { Large: () => 'x'.repeat(300_000) },
    )

  assert.equal((await catching('States.DataLimitExceeded')).output, 'caught')
  assert.equal((await catching('States.ALL')).output, 'caught')
  assert.equal((await catching('States.TaskFailed')).error, 'States.DataLimitExceeded')
})

test('counts what AWS adds to the answer of a Lambda to its size', async () => {
  const answering = (bytes: number) =>
    runMachine({ only: taskOf('Large', { Output: 'done', End: true }) }, {}, { Large: () => 'x'.repeat(bytes) })
  const room = 256 * 1024 - 900 - JSON.stringify({ ExecutedVersion: '$LATEST', Payload: '', StatusCode: 200 }).length

  assert.equal((await answering(room)).output, 'done')
  assert.equal((await answering(room + 1)).error, 'States.DataLimitExceeded')
})

test('gives a function {} for a payload that is null, as Lambda does', async () => {
  let given: unknown
  await runMachine(
    { only: taskOf('Look', { Arguments: { FunctionName: 'Look', Payload: '{% null %}' }, End: true }) },
    null,
    {
      Look: (payload) => {
        given = payload
      },
    },
  )

  assert.deepEqual(given, {})
})

test('cuts a cause at 32,768 characters, so that a long one reaches its Catch', async () => {
  const { status, output } = await runMachine(
    {
      only: taskOf('Broken', { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'caught' }], End: true }),
      caught: { Type: 'Pass', Output: '{% $length($states.input.Cause) %}', End: true },
    },
    {},
    {
      Broken: () => {
        throw errorNamed('Terminal', 'x'.repeat(1_000_000))
      },
    },
  )

  assert.deepEqual([status, output], ['SUCCEEDED', 32_768])
})

const functions = ['$sum', 'function($x) { $x }', '{"deep": [$count]}', '[function() { 1 }]', '$substring(?, 1)']
for (const expression of functions) {
  test(`fails a state whose output holds a function: ${expression}`, async () => {
    const { status, error, cause } = await runMachine(
      { only: { Type: 'Pass', Output: `{% ${expression} %}`, End: true } },
      {},
    )

    assert.deepEqual([status, error], ['FAILED', 'States.QueryEvaluationError'])
    assert.match(cause ?? '', /'only'.*function/)
  })
}

const misfits: [field: string, state: State][] = [
  ['Cause', { Type: 'Fail', Error: 'Refused', Cause: '{% {"because": $states.input} %}' }],
  ['Error', { Type: 'Fail', Error: '{% 7 %}' }],
]
for (const [field, state] of misfits) {
  test(`fails a Fail whose ${field} is no string`, async () => {
    const { status, error, cause } = await runMachine({ end: state }, {})

    assert.deepEqual([status, error], ['FAILED', 'States.QueryEvaluationError'])
    assert.equal(cause, `The state 'end': ${field} is not a string.`)
  })
}
