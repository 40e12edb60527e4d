import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { StepOutcome } from 'dray/internal/messages/stages.ts'
import type { StepStatus } from 'dray/internal/state/state-store.ts'
import { emptyStep } from 'dray/internal/state/state-store.ts'
import { resultOf } from 'dray-infra/internal/runs/run-result.ts'

const run = { id: 'r', workflow: 'w', seconds: 1, interrupted: false, started: new Set(['b']) }

function result(statuses: Record<string, StepStatus>, outcomes: Record<string, StepOutcome> = {}, interrupted = false) {
  const steps = Object.entries(statuses).map(([name, status]) => ({ ...emptyStep('r', name), status }))
  const record = {
    id: 'r',
    workflow: 'w',
    status: 'running' as const,
    startTime: 0,
    endTime: null,
    recordsProcessed: 0,
    recordsFailed: 0,
    executionTimeSeconds: null,
    runner: '',
    trigger: '',
    mode: null,
    only: null,
    error: null,
  }
  return resultOf({ ...run, interrupted }, ['a', 'b'], { run: record, steps, partitions: [] }, outcomes)
}

describe('the result of a run', () => {
  it('is a success only when every step is', () => {
    assert.equal(result({ a: 'success', b: 'success' }).status, 'success')
    assert.equal(result({ a: 'success', b: 'failed' }).status, 'failed')
    assert.equal(result({ a: 'success' }).status, 'failed')
  })

  it('tells a step that did not end from one that was not started', () => {
    const { steps } = result({})

    assert.deepEqual(
      steps.map(({ status, error }) => [status, error]),
      [
        ['skipped', 'It was not started.'],
        ['failed', 'It did not come to its end.'],
      ],
    )
  })

  it('is refused when leases alone were in the way', () => {
    assert.equal(result({ a: 'refused', b: 'skipped' }).status, 'refused')
    assert.equal(result({ a: 'refused', b: 'success' }).status, 'refused')
    assert.equal(result({ a: 'refused', b: 'failed' }).status, 'failed')
  })

  it('is interrupted whatever the steps came to', () => {
    assert.equal(result({ a: 'success', b: 'failed' }, {}, true).status, 'interrupted')
  })

  it('keeps the order of the workflow and has a record of every step', () => {
    const { steps } = result({ b: 'success' })

    assert.deepEqual(
      steps.map(({ step, status }) => [step, status]),
      [
        ['a', 'skipped'],
        ['b', 'success'],
      ],
    )
  })

  it('believes the state machine where the store has only the beginning of a step', () => {
    const { steps } = result({ a: 'running', b: 'success' }, { a: { status: 'failed', reason: 'Terminal: no table' } })

    assert.equal(steps[0]?.status, 'failed')
    assert.equal(steps[0]?.error, 'Terminal: no table')
  })
})
