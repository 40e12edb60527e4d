import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { State } from 'dray/internal/workflow/states-language.ts'
import { errorNamed, mapOf, runMachine, type TestFunction, taskOf } from './machine.ts'

const end = { Type: 'Pass', End: true } as const
const caught = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'end' }], Next: 'end' }

/** Fails on its first call. */
const flaky: TestFunction = (_, { call }) => {
  if (call === 1) throw errorNamed('Once')
}

const distributed = (states: Record<string, State>) =>
  ({
    Type: 'Map',
    ItemReader: {
      Resource: 'arn:aws:states:::s3:getObject',
      ReaderConfig: { InputType: 'JSON' },
      Arguments: { Bucket: 'b', Key: 'k' },
    },
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: Object.keys(states)[0],
      States: states,
    },
    End: true,
  }) as State

const partition = {
  ...mapOf('A'),
  ItemProcessor: {
    ProcessorConfig: { Mode: 'INLINE' },
    StartAt: 'extract',
    States: {
      extract: taskOf('A', { Next: 'transform' }),
      transform: taskOf('A', { Next: 'load' }),
      load: taskOf('A'),
    },
  },
} as State

/** Of each: what Step Functions writes, from ExecutionStarted to the end of the execution. */
const histories: [what: string, states: Record<string, State>, events: number][] = [
  ['a Pass', { end }, 4],
  [
    'a Choice',
    { choice: { Type: 'Choice', Choices: [{ Condition: '{% false %}', Next: 'end' }], Default: 'end' }, end },
    6,
  ],
  ['a Fail', { end: { Type: 'Fail', Error: 'A' } }, 3],
  ['a task', { only: taskOf('A') }, 7],
  ['a task that is tried again', { only: taskOf('Flaky', { Retry: [{ ErrorEquals: ['Once'] }], End: true }) }, 10],
  ['a task that fails and is caught', { only: taskOf('Flaky', caught), end }, 9],
  [
    'an output that cannot be evaluated, and is caught',
    { only: taskOf('A', { ...caught, Output: '{% $error() %}' }), end },
    10,
  ],
  [
    'two branches',
    {
      both: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'one', States: { one: end } },
          { StartAt: 'two', States: { two: end } },
        ],
        End: true,
      },
    },
    10,
  ],
  ['a Map of two items', { each: mapOf('A') }, 6 + 2 * 7],
  ['a Map of two partitions', { each: partition }, 6 + 2 * 17],
  ['a Distributed Map of two items, whatever they do', { each: distributed({ item: taskOf('A') }) }, 8],
]
for (const [what, states, events] of histories) {
  test(`counts ${events} events of ${what}`, async () => {
    const { historyEvents } = await runMachine(states, [1, 2], { Flaky: flaky }, { readItems: async () => [1, 2] })

    assert.equal(historyEvents, events)
  })
}

/** 3,570 items of 7 events, and 6 of the Map and the execution: room for four more. */
const items = Array.from({ length: 3_570 }, () => 0)

test('ends well with the 25,000th event', async () => {
  const { status, historyEvents } = await runMachine(
    {
      each: { ...mapOf('A', { Next: 'one' }), End: undefined } as unknown as State,
      one: { Type: 'Pass', Next: 'end' },
      end,
    },
    items,
  )

  assert.deepEqual([status, historyEvents], ['SUCCEEDED', 25_000])
})

test('fails an execution that needs more than 25,000 events, past every Catch', async () => {
  const everything = { ErrorEquals: ['States.ALL'], Next: 'caught' }
  const { status, error, cause, events } = await runMachine(
    {
      both: {
        Type: 'Parallel',
        Branches: [{ StartAt: 'each', States: { each: mapOf('A') } }],
        Catch: [{ ErrorEquals: ['States.Runtime'], Next: 'caught' }, everything],
        Next: 'caught',
      },
      caught: end,
    },
    items,
  )

  assert.deepEqual(
    [status, error, cause],
    ['FAILED', 'States.Runtime', 'The execution reached the maximum number of history events (25000).'],
  )
  assert.ok(!events.some((event) => 'state' in event && event.state === 'caught'))
})

test('gives each execution of a Distributed Map a history', async () => {
  const { status } = await runMachine(
    { each: distributed({ item: end }) },
    null,
    {},
    { readItems: async () => [...items, ...items, ...items] },
  )

  assert.equal(status, 'SUCCEEDED')
})

test('ends a loop that nothing ends', async () => {
  const { error } = await runMachine({ one: { Type: 'Pass', Next: 'two' }, two: { Type: 'Pass', Next: 'one' } }, {})

  assert.equal(error, 'States.Runtime')
})
