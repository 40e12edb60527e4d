import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { callsOf, closedAt, entriesOf } from 'dray-infra/internal/page/calls.ts'
import { criticalPath } from 'dray-infra/internal/page/critical-path.ts'

const at = (seconds: number) => new Date(seconds * 1000).toISOString()
const line = (message: string, seconds: number, fields: object) => ({ message, timestamp: at(seconds), ...fields })
const load = { pipeline: 'orders', step: 'load', partition: 2 }

describe('the calls of a log', () => {
  test('have a start, an end and what they worked for', () => {
    const calls = callsOf([
      line('started', 1, { ...load, request_id: 'a' }),
      line('a row was odd', 2, { ...load, request_id: 'a' }),
      line('succeeded', 3, { ...load, request_id: 'a' }),
    ])

    assert.deepEqual(calls, [
      { step: 'orders', stage: 'load', partition: 2, start: 1000, end: 3000, status: 'success', error: null },
    ])
  })

  test('are told apart when a stage is tried again', () => {
    const calls = callsOf([
      line('started', 1, { ...load, request_id: 'a' }),
      line('failed', 2, { ...load, request_id: 'a', error_name: 'Transient', error_message: 'it was away' }),
      line('started', 5, { ...load, request_id: 'b' }),
    ])

    assert.deepEqual(
      calls.map(({ status, end, error }) => [status, end, error]),
      [
        ['failed', 2000, 'Transient: it was away'],
        ['running', null, null],
      ],
    )
  })

  test('end with their run where nobody logged their end', () => {
    const calls = callsOf([line('started', 1, { ...load, request_id: 'a' })])

    assert.equal(closedAt(calls, null)[0]?.end, null)
    assert.deepEqual(
      closedAt(calls, 4000).map(({ end, status }) => [end, status]),
      [[4000, 'failed']],
    )
  })

  test('are no lines that are no calls, whatever they hold', () => {
    assert.deepEqual(
      callsOf([{ message: 'started' }, { message: 'text' }, line('succeeded', 1, { request_id: 'x' }), {}]),
      [],
    )
  })

  test('are found by their step and their partition', () => {
    const entries = [line('x', 1, load), line('y', 1, { ...load, partition: 0 }), line('z', 1, { pipeline: 'other' })]

    assert.deepEqual(
      entriesOf(entries, 'orders', 0).map(({ message }) => message),
      ['y'],
    )
    assert.equal(entriesOf(entries, null, null).length, 3)
  })
})

describe('the critical path', () => {
  const step = (name: string, start: number | null, end: number | null, ...after: string[]) => ({
    name,
    start,
    end,
    after,
  })

  test('goes from the step that ended last back over those that it waited for', () => {
    const steps = [step('a', 0, 5), step('b', 0, 9), step('c', 9, 12, 'a', 'b'), step('d', 0, 11)]

    assert.deepEqual(criticalPath(steps), ['b', 'c'])
  })

  test('ends at the step that is at work, and leaves out what was not reached', () => {
    assert.deepEqual(criticalPath([step('a', 0, 5), step('b', 5, null, 'a'), step('c', null, null, 'b')]), ['a', 'b'])
    assert.deepEqual(criticalPath([step('a', null, null)]), [])
  })
})
