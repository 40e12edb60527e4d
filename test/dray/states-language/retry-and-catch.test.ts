import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Catcher, Retrier } from 'dray/internal/workflow/states-language.ts'
import { errorNamed, runMachine, type TestFunction, taskOf } from './machine.ts'

/** Throws the errors one after the other, then succeeds. */
function throwing(...names: string[]): TestFunction {
  return (_, { call }) => {
    const name = names[call - 1]
    if (name !== undefined) throw errorNamed(name)
    return 'done'
  }
}

async function runTask(flaky: TestFunction, rules: { Retry?: Retrier[]; Catch?: Catcher[] }, random = () => 0.5) {
  const run = await runMachine(
    {
      work: taskOf('Flaky', { ...rules, End: true }),
      caught: { Type: 'Pass', Output: { caught: '{% $states.input %}' }, End: true },
    },
    'given',
    { Flaky: flaky },
    { random },
  )
  const delays = run.events.flatMap((event) => (event.type === 'task-retried' ? [event.delayMs / 1000] : []))
  return { ...run, delays }
}

test('waits longer before each retry, up to the longest delay', async () => {
  const { output, delays, clock } = await runTask(throwing('A', 'A', 'A', 'A', 'A'), {
    Retry: [{ ErrorEquals: ['A'], IntervalSeconds: 2, BackoffRate: 3, MaxAttempts: 5, MaxDelaySeconds: 50 }],
  })

  assert.equal(output, 'done')
  assert.deepEqual(delays, [2, 6, 18, 50, 50])
  assert.equal(clock.now(), 126_000)
})

test('retries three times, after 1, 2 and 4 seconds, when the retrier says nothing else', async () => {
  const { error, delays } = await runTask(throwing('A', 'A', 'A', 'A'), { Retry: [{ ErrorEquals: ['A'] }] })

  assert.equal(error, 'A')
  assert.deepEqual(delays, [1, 2, 4])
})

test('waits a random part of the delay with full jitter', async () => {
  const { delays } = await runTask(
    throwing('A', 'A'),
    { Retry: [{ ErrorEquals: ['A'], IntervalSeconds: 10, JitterStrategy: 'FULL' }] },
    () => 0.25,
  )

  assert.deepEqual(delays, [2.5, 5])
})

test('counts the attempts of each retrier apart', async () => {
  const { error, delays } = await runTask(throwing('A', 'B', 'A', 'C', 'A'), {
    Retry: [
      { ErrorEquals: ['A', 'C'], IntervalSeconds: 1, MaxAttempts: 3, BackoffRate: 2 },
      { ErrorEquals: ['B'], IntervalSeconds: 7 },
    ],
  })

  assert.equal(error, 'A')
  assert.deepEqual(delays, [1, 7, 2, 4])
})

test('does not retry an error that the first matching retrier has excluded', async () => {
  const { error, delays } = await runTask(throwing('A'), {
    Retry: [{ ErrorEquals: ['A'], MaxAttempts: 0 }, { ErrorEquals: ['States.ALL'] }],
  })

  assert.equal(error, 'A')
  assert.deepEqual(delays, [])
})

test('catches only when the retries are used up, with the input and the error at hand', async () => {
  const { output, delays } = await runTask(throwing('A', 'A'), {
    Retry: [{ ErrorEquals: ['A'], MaxAttempts: 1 }],
    Catch: [
      { ErrorEquals: ['B'], Output: 'wrong', Next: 'caught' },
      {
        ErrorEquals: ['A'],
        Output: { input: '{% $states.input %}', error: '{% $states.errorOutput.Error %}' },
        Next: 'caught',
      },
    ],
  })

  assert.deepEqual(delays, [1])
  assert.deepEqual(output, { caught: { input: 'given', error: 'A' } })
})

test('hands on the error itself when the catcher has no output', async () => {
  const { output } = await runTask(throwing('A'), { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'caught' }] })

  assert.deepEqual(output, {
    caught: { Error: 'A', Cause: JSON.stringify({ errorType: 'A', errorMessage: 'an error named A' }) },
  })
})

const wildcards: [wildcard: string, error: string, matches: boolean][] = [
  ['States.ALL', 'A', true],
  ['States.ALL', 'States.Timeout', true],
  ['States.TaskFailed', 'A', true],
  ['States.TaskFailed', 'States.Timeout', false],
  ['States.Timeout', 'States.Timeout', true],
]
for (const [wildcard, error, matches] of wildcards) {
  test(`${matches ? 'matches' : 'does not match'} ${error} by ${wildcard}`, async () => {
    const flaky: TestFunction = async (_, { wait }) => {
      if (error === 'States.Timeout') await wait(100)
      throw errorNamed(error)
    }

    const { status } = await runTask(flaky, { Catch: [{ ErrorEquals: [wildcard], Next: 'caught' }] })

    assert.equal(status, matches ? 'SUCCEEDED' : 'FAILED')
  })
}

test('times a task out, tells its signal, and goes on without waiting for it', async () => {
  let toldAt = Number.NaN
  const { output, events } = await runTask(
    async (_, { signal, wait }) => {
      signal.addEventListener('abort', () => {
        toldAt = 60_000
        assert.equal((signal.reason as { error: string }).error, 'States.Timeout')
      })
      await wait(10_000, 'deaf')
    },
    { Catch: [{ ErrorEquals: ['States.Timeout'], Output: 'late', Next: 'caught' }] },
  )

  const timedOut = events.find(({ type }) => type === 'task-timed-out')
  const left = events.findLast(({ type }) => type === 'state-exited')
  assert.deepEqual(output, { caught: 'late' })
  assert.deepEqual([toldAt, timedOut?.at, left?.at], [60_000, 60_000, 60_000])
})

test('retries after a timeout, each attempt with its whole time', async () => {
  const { output, clock } = await runTask(
    async (_, { call, wait }) => {
      await wait(call === 1 ? 100 : 59)
      return call
    },
    { Retry: [{ ErrorEquals: ['States.Timeout'], IntervalSeconds: 5 }] },
  )

  assert.equal(output, 2)
  assert.equal(clock.now(), (60 + 5 + 59) * 1000)
})
