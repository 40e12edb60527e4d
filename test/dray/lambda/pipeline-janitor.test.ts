import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { emptyStep } from 'dray/internal/state/state-store.ts'
import { context, ended, startTriggers, type Triggers } from './triggers.ts'

type PipelineJanitor = typeof import('#test/fixture/functions/dray/pipeline-janitor.ts').handler

describe('the janitor of pipelines', () => {
  let triggers: Triggers
  let janitor: PipelineJanitor
  before(async () => {
    triggers = await startTriggers()
    janitor = (await import('#test/fixture/functions/dray/pipeline-janitor.ts')).handler
  })
  beforeEach(() => triggers.reset())
  after(() => triggers.stop())

  /** A run of orders that somebody has started in the console, in the middle of its work. */
  const halfDone = async (workflow: string) => {
    const now = Date.now()
    await triggers.state.startRun({ id: 'r', workflow, startTime: now, runner: 'stepfunctions', trigger: 'manual' })
    await triggers.state.acquireLease('orders', 'r', now, now + 3_600_000)
    await triggers.state.putStep({ ...emptyStep('r', 'orders'), startTime: now })
  }

  test('ends the run of a pipeline that a person has started and stopped, and gives its lease back', async () => {
    await halfDone('orders')

    const output = await janitor(ended('r', 'ABORTED', { input: '{}', cause: 'by hand' }), context)

    const detail = await triggers.state.run('r')
    assert.deepEqual(output, { settled: true })
    assert.deepEqual(
      [detail?.run.status, detail?.run.error, detail?.steps[0]?.status],
      ['interrupted', 'The execution was aborted: by hand.', 'failed'],
    )
    assert.equal((await triggers.state.pipeline('orders'))?.leaseOwner, null)
  })

  test('leaves what a workflow has started to the janitor of the workflow', async () => {
    await halfDone('daily')
    const run = { id: 'r', workflow: 'daily', started_at: '2026-01-01T00:00:00Z', trigger: 'schedule' }

    const output = await janitor(ended('r', 'ABORTED', { input: JSON.stringify({ run }) }), context)

    assert.deepEqual(output, { settled: false })
    assert.equal((await triggers.state.run('r'))?.run.status, 'running')
    assert.equal((await triggers.state.pipeline('orders'))?.leaseOwner, 'r')
  })

  test('does nothing about an execution that never came to its plan', async () => {
    assert.deepEqual(await janitor(ended('unknown', 'FAILED', { input: 'nonsense' }), context), { settled: false })
  })
})
