import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { State } from 'dray/internal/workflow/states-language.ts'
import type { NestedMachine } from 'dray-infra/internal/states-language/index.ts'
import { errorNamed, executionOf, machineOf, mapOf, runMachine, type TestFunction, taskOf } from './machine.ts'

const end = { Type: 'Pass', End: true } as const

function machines(states: Record<string, State>, rest: object = {}): ReadonlyMap<string, NestedMachine> {
  return new Map([['Orders', { name: 'orders', definition: { ...machineOf(states), ...rest } }]])
}

const works = machines({ work: taskOf('Work') })
const slow: TestFunction = async (payload, { wait }) => {
  await wait(10)
  return payload
}
const fail: TestFunction = () => {
  throw errorNamed('Terminal', 'gone')
}

/** An error is passed on as it was caught. */
const caught = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'caught' }], Next: 'caught' }
const seen = (states: Record<string, State>) => ({ ...states, caught: { Type: 'Pass', End: true } as State })

interface Caught {
  readonly Error: string
  readonly Cause: string
}

describe('an execution of another machine', () => {
  test('is waited for, and gives its output', async () => {
    const { output, events } = await runMachine(
      { start: executionOf('Orders', 'run-1') },
      { a: 1 },
      { Work: slow },
      { machines: works, stateMachineName: 'daily' },
    )

    assert.deepEqual(output, { a: 1 })
    const ends = events.filter(({ type }) => /^execution/.test(type)).map(({ machine, type }) => `${machine} ${type}`)
    assert.deepEqual(ends, [
      'daily execution-started',
      'orders execution-started',
      'orders execution-succeeded',
      'daily execution-succeeded',
    ])
  })

  test('has its name, its input and its start in its context, and nothing of the one that started it', async () => {
    const shown = machines({
      show: { Type: 'Pass', Output: '{% $states.context %}', End: true },
    })

    const { output } = await runMachine(
      { each: { ...mapOf('A'), ItemProcessor: inline({ start: executionOf('Orders', 'run-1') }) } as State },
      [7],
      {},
      { machines: shown },
    )

    const [{ Execution, StateMachine, Map: item }] = output as [
      { Execution: object; StateMachine: object; Map: unknown },
    ]
    assert.partialDeepStrictEqual(Execution, { Id: 'local:orders:run-1', Input: 7, Name: 'run-1' })
    assert.deepEqual(StateMachine, { Id: 'local:orders', Name: 'orders' })
    assert.equal(item, undefined)
  })

  test('that fails is a task that failed: its error is in the cause alone', async () => {
    const { output } = await runMachine(
      seen({ start: executionOf('Orders', 'run-1', caught) }),
      {},
      { Work: fail },
      { machines: works },
    )

    const { Error: error, Cause: cause } = output as Caught
    assert.equal(error, 'States.TaskFailed')
    assert.partialDeepStrictEqual(JSON.parse(cause), {
      Error: 'Terminal',
      Name: 'run-1',
      Status: 'FAILED',
      Input: '{}',
    })
  })

  test('ends when its machine has no more time', async () => {
    const { output, clock } = await runMachine(
      seen({ start: executionOf('Orders', 'run-1', caught) }),
      {},
      { Work: slow },
      { machines: machines({ work: taskOf('Work') }, { TimeoutSeconds: 4 }) },
    )

    const { Error: error, Cause: cause } = output as Caught
    assert.equal(error, 'States.TaskFailed')
    assert.partialDeepStrictEqual(JSON.parse(cause), { Status: 'TIMED_OUT' })
    assert.equal(clock.now(), 4_000)
  })

  test('is aborted when the task that waits for it has no more time', async () => {
    const { output, events } = await runMachine(
      seen({ start: executionOf('Orders', 'run-1', { ...caught, TimeoutSeconds: 4 }) }),
      {},
      { Work: slow },
      { machines: works },
    )

    assert.equal((output as Caught).Error, 'States.Timeout')
    assert.ok(events.some(({ type, machine }) => type === 'execution-aborted' && machine === 'orders'))
  })

  test('is aborted with the one that started it: its functions are told, and nothing more is started', async () => {
    const controller = new AbortController()
    let aborted = 0
    const called: string[] = []
    const first: TestFunction = (_, { signal }) => {
      called.push('First')
      const ended = new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted += 1
          reject(signal.reason)
        })
      })
      queueMicrotask(() => controller.abort(errorNamed('Stopped', 'by a person')))
      return ended
    }

    const { status, error, events } = await runMachine(
      { start: executionOf('Orders', 'run-1') },
      {},
      { First: first, Second: () => called.push('Second') },
      {
        machines: machines({ first: taskOf('First', { Next: 'second' }), second: taskOf('Second') }),
        signal: controller.signal,
        stateMachineName: 'daily',
      },
    )

    assert.deepEqual([status, error, aborted, called], ['ABORTED', 'Stopped', 1, ['First']])
    const ends = events.filter(({ type }) => type === 'execution-aborted').map(({ machine }) => machine)
    assert.deepEqual(ends, ['orders', 'daily'])
  })

  test('whose name is taken by one that runs with the same input is that one', async () => {
    let calls = 0
    const { output } = await runMachine(
      { both: twice({ one: executionOf('Orders', 'run-1') }, { two: executionOf('Orders', 'run-1') }) },
      { a: 1 },
      {
        Work: async (_, { wait }) => {
          await wait(10)
          return ++calls
        },
      },
      { machines: works },
    )

    assert.deepEqual(output, [1, 1])
    assert.equal(calls, 1)
  })

  test('whose name is taken by one with another input, or by one that has ended, is not started', async () => {
    const another = executionOf('Orders', 'run-1', {
      ...caught,
      Arguments: { StateMachineArn: '${Orders}', Name: 'run-1', Input: { another: 1 } },
    })
    const given = [
      { both: twice({ one: executionOf('Orders', 'run-1') }, seen({ two: another })) },
      seen({
        one: executionOf('Orders', 'run-1', { Output: '{% $states.input %}', Next: 'two' }),
        two: executionOf('Orders', 'run-1', caught),
      }),
    ]

    for (const states of given) {
      let calls = 0
      const { output } = await runMachine(
        states,
        { a: 1 },
        {
          Work: async (_, { wait }) => {
            await wait(10)
            calls += 1
          },
        },
        { machines: works },
      )

      const { Error: error } = (Array.isArray(output) ? output[1] : output) as Caught
      assert.equal(error, 'StepFunctions.ExecutionAlreadyExistsException')
      assert.equal(calls, 1)
    }
  })

  test('of a machine that there is not is an error of the start', async () => {
    const { error } = await runMachine({ start: executionOf('Customers', 'run-1') }, {}, {}, { machines: works })

    assert.equal(error, 'StepFunctions.StateMachineDoesNotExistException')
  })

  test('is refused before anything starts when its machine has more than is implemented', async () => {
    const odd = machines({ pause: { Type: 'Wait', Seconds: 1, End: true } as unknown as State })
    const nothing = () => assert.fail('Something was started.')

    await assert.rejects(
      runMachine({ one: taskOf('Work', { Next: 'end' }), end }, {}, { Work: nothing }, { machines: odd }),
      { name: 'UnsupportedDefinition' },
    )
  })

  test('has a history: of the one that started it, it takes what Step Functions writes of a task that waits', async () => {
    const { historyEvents } = await runMachine(
      { start: executionOf('Orders', 'run-1') },
      {},
      { Work: slow },
      { machines: works },
    )

    // Both ends, entered, TaskScheduled, TaskStarted, TaskSubmitted, TaskSucceeded, exited.
    assert.equal(historyEvents, 8)
  })
})

function inline(states: Record<string, State>): object {
  return { ProcessorConfig: { Mode: 'INLINE' }, StartAt: Object.keys(states)[0], States: states }
}

function twice(...branches: readonly Record<string, State>[]): State {
  return {
    Type: 'Parallel',
    Branches: branches.map((states) => ({ StartAt: Object.keys(states)[0] ?? '', States: states })),
    End: true,
  }
}
