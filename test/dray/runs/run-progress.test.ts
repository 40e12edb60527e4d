import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunProgress, type StepProgress } from 'dray-infra/internal/runs/run-progress.ts'

function watched(steps: readonly string[]) {
  const shown = new Map<string, StepProgress>()
  const view = { update: (step: StepProgress) => shown.set(step.name, step), note() {}, stop() {} }
  let time = 0
  const progress = new RunProgress(steps, view, () => (time += 1000))
  return { progress, step: (name: string) => shown.get(name) as StepProgress }
}

const plan = { handler: 'functions/dray/plan.ts', payload: { pipeline: 'orders' } }
const stage = (phase: string, partition: number, more = {}) => ({
  handler: `functions/orders/${phase}.ts`,
  payload: { pipeline: 'orders', partition, ...more },
})
const rows = (phase: 'extract' | 'transform' | 'load', partition: number, count: number) => ({
  pipeline: 'orders',
  partition,
  phase,
  rows: count,
})

describe('RunProgress', () => {
  it('shows every step as waiting before anything was called', () => {
    const { step } = watched(['customers', 'orders'])

    assert.equal(step('customers').status, 'waiting')
    assert.equal(step('orders').fraction, 0)
  })

  it('counts plan, commit and three phases of each partition', () => {
    const { progress, step } = watched(['orders'])

    progress.called(plan)
    progress.returned(plan, { count: 2 })
    assert.equal(step('orders').fraction, 1 / 8)

    progress.called(stage('extract', 0))
    progress.returned(stage('extract', 0), { extracted: { rows: 100 } })
    assert.equal(step('orders').fraction, 2 / 8)
    assert.equal(step('orders').rowsRead, 100)
  })

  it('shows a comparison as running until its last call has come back, and its pipeline as another step', () => {
    const { progress, step } = watched(['orders', 'reconcile-orders'])
    const call = (number: number) => ({
      handler: 'functions/dray/reconcile.ts',
      payload: { pipeline: 'orders', step: 'reconcile-orders', call: number },
    })

    progress.called(call(1))
    progress.returned(call(1), { at: { key: 'k' }, call: 1 })
    const between = step('reconcile-orders')
    progress.called(call(2))
    progress.returned(call(2), { at: null, call: 2 })

    assert.deepEqual([between.status, between.phase], ['running', 'reconcile, call 2'])
    assert.equal(step('reconcile-orders').status, 'success')
    assert.equal(step('orders').status, 'waiting')
  })

  it('moves within a phase as rows pass', () => {
    const { progress, step } = watched(['orders'])
    progress.called(plan)
    progress.returned(plan, { count: 1 })
    progress.called(stage('load', 0, { extracted: { rows: 200 } }))

    progress.rows(rows('load', 0, 50))

    assert.equal(step('orders').fraction, (1 + 2 + 0.25) / 5)
    assert.equal(step('orders').rowsLoaded, 50)
  })

  it('does not count the rows of a failed attempt twice', () => {
    const { progress, step } = watched(['orders'])
    progress.called(plan)
    progress.returned(plan, { count: 1 })
    progress.called(stage('load', 0, { extracted: { rows: 200 } }))
    progress.rows(rows('load', 0, 150))
    progress.failed(stage('load', 0), Object.assign(new Error('lost'), { name: 'Transient' }))

    progress.called(stage('load', 0, { extracted: { rows: 200 } }))
    progress.rows(rows('load', 0, 200))

    assert.equal(step('orders').rowsLoaded, 200)
  })

  it('is whole after the commit, and for a task after its one call', () => {
    const { progress, step } = watched(['orders', 'data-mart'])
    const commit = { handler: 'functions/dray/commit.ts', payload: { pipeline: 'orders' } }
    const task = { handler: 'functions/data-mart/run.ts', payload: { task: 'data-mart' } }

    progress.called(commit)
    progress.returned(commit, {})
    progress.called(task)
    progress.returned(task, {})

    assert.equal(step('orders').fraction, 1)
    assert.equal(step('data-mart').fraction, 1)
  })

  it('stops the time of a step that has ended', () => {
    const { progress, step } = watched(['orders'])
    progress.called(plan)

    progress.ended('orders', 'failed', 'Terminal: no table')
    const elapsed = step('orders').elapsedMs
    progress.rows(rows('load', 0, 1))

    assert.equal(step('orders').elapsedMs, elapsed)
    assert.equal(step('orders').phase, 'Terminal: no table')
  })

  it('keeps why a step ended when its outcome is written and asked for', () => {
    const { progress, step } = watched(['orders'])
    const outcome = { handler: 'functions/dray/outcome.ts', payload: { pipeline: 'orders' } }
    progress.called(plan)
    progress.ended('orders', 'failed', 'Terminal: no table')

    progress.called(outcome)
    progress.returned(outcome, { status: 'failed', reason: 'Terminal: no table' })

    assert.deepEqual([step('orders').status, step('orders').phase], ['failed', 'Terminal: no table'])
  })

  it('ignores calls that belong to no step', () => {
    const { progress, step } = watched(['orders'])

    progress.called({ handler: 'functions/dray/finish.ts', payload: { steps: {} } })

    assert.equal(step('orders').status, 'waiting')
  })

  it("counts the calls of a replica's tables for the replica", () => {
    const { progress, step } = watched(['shop-raw', 'shop-raw/orders'])
    const call = (phase: string, pipeline: string, more = {}) => ({
      handler: `functions/dray/${phase}.ts`,
      payload: { pipeline, ...more },
    })
    const done = (phase: string, pipeline: string, output: object, more = {}) => {
      progress.called(call(phase, pipeline, more))
      progress.returned(call(phase, pipeline, more), output)
    }

    done('tables', 'shop-raw', { count: 2 })
    assert.deepEqual([step('shop-raw').status, step('shop-raw').phase], ['running', '0 of 2 tables'])

    done('plan', 'shop-raw/customers', { count: 1 })
    done('extract', 'shop-raw/customers', { extracted: { rows: 30 } }, { partition: 0 })
    progress.rows({ pipeline: 'shop-raw/visits', partition: 0, phase: 'extract', rows: 12 })
    assert.equal(step('shop-raw').rowsRead, 42)
    assert.equal(step('shop-raw').fraction, 2 / 5 / 2)

    done('commit', 'shop-raw/customers', {})
    assert.deepEqual([step('shop-raw').status, step('shop-raw').phase], ['running', '1 of 2 tables'])

    done('gather', 'shop-raw', { status: 'failed', reason: '1 of 2 tables did not succeed' })
    assert.deepEqual([step('shop-raw').status, step('shop-raw').phase], ['failed', '1 of 2 tables did not succeed'])
    assert.equal(step('shop-raw/orders').status, 'waiting')
  })
})
