import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { OutcomeInput, StepOutcome } from 'dray/internal/messages/stages.ts'
import { enterRun } from 'dray/internal/pipeline/stages/enter-run.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { outcome } from 'dray/internal/pipeline/stages/outcome.ts'
import { emptyStep, type StepRecord } from 'dray/internal/state/state-store.ts'
import { type Harness, openHarness, runReference } from './harness.ts'

describe('how a pipeline ended in a run', () => {
  let harness: Harness
  let runs = 0
  let id: string

  before(async () => {
    harness = await openHarness()
  })
  beforeEach(() => {
    id = `run-${++runs}`
  })
  after(() => harness.close())

  const failed: StepOutcome = { status: 'failed', reason: 'Terminal: gone' }
  const said = (ended: StepOutcome | null, fault: string | null = null) =>
    outcome(
      { run: runReference(id), pipeline: 'items', outcome: ended, fault } satisfies OutcomeInput,
      harness.services,
    )
  const recorded = async () => {
    const { status, error } = (await harness.services.state.run(id))?.steps[0] ?? {}
    return { status, error }
  }
  const record = async (step: Partial<StepRecord>) => {
    await enterRun({ run: runReference(id) }, harness.services)
    await harness.services.state.putStep({ ...emptyStep(id, 'items'), ...step })
  }

  test('is what its machine has seen, also where Plan never came to enter the run', async () => {
    assert.deepEqual(await said(failed), failed)

    assert.deepEqual(await recorded(), { status: 'failed', error: 'Terminal: gone' })
    assert.equal((await harness.services.state.run(id))?.run?.status, 'running')
  })

  test('is what has been written, when its workflow asks', async () => {
    await said({ status: 'refused', reason: 'LeaseHeld: held by run-0' })

    const asked = await said(null, 'LeaseHeld')

    assert.deepEqual(asked, { status: 'refused', reason: 'LeaseHeld: held by run-0' })
  })

  test('is said without what takes more room in JSON than in a text', async () => {
    await record({ status: 'failed', error: 'a\n\tb\u0000\u001f \ud83d 😀 "c"' })

    assert.deepEqual(await said(null, 'x'), { status: 'failed', reason: 'a  b   \ufffd 😀 "c"' })
  })

  test('is that it has failed, with the fault that the workflow was told, when it ended without a word', async () => {
    await record({ status: 'running', read: 7 })

    const ended = await said(null, 'States.Timeout: Longer than 86400 s.')

    assert.deepEqual(ended, { status: 'failed', reason: 'States.Timeout: Longer than 86400 s.' })
    assert.deepEqual(await recorded(), { status: 'failed', error: 'States.Timeout: Longer than 86400 s.' })
    assert.equal((await harness.services.state.run(id))?.steps[0]?.read, 7)
  })

  test('is that it has failed, when not even a fault is known', async () => {
    assert.deepEqual(await said(null), { status: 'failed', reason: 'It did not come to its end.' })
  })

  test('is a success when Commit has written one, though its answer was lost', async () => {
    await record({ status: 'success', read: 7 })

    assert.deepEqual(await said({ status: 'failed', reason: 'States.Timeout' }), { status: 'success', reason: null })
    assert.deepEqual(await said(null, 'States.TaskFailed'), { status: 'success', reason: null })

    assert.deepEqual(await recorded(), { status: 'success', error: null })
  })

  test('is not changed by what comes later, or twice', async () => {
    const first = await said(failed)

    assert.deepEqual([await said(failed), await said(null, 'other')], [first, first])
  })

  test('stays as Commit has recorded it, of which its machine knows the beginning, in one line', async () => {
    const error = `DataQuality: items:\n${'long '.repeat(200)}end`
    await record({ status: 'failed', error })

    await said({ status: 'failed', reason: error.replace('\n', ' ').slice(0, 300) })

    assert.deepEqual(await recorded(), { status: 'failed', error })
  })

  test('is in the end of the run in full, though the workflow knows the beginning of the reason only', async () => {
    const reason = `Terminal: ${'long '.repeat(200)}end`
    await said({ status: 'failed', reason })

    await finish(
      { run: runReference(id), steps: { items: { status: 'failed', reason: reason.slice(0, 160) } } },
      harness.services,
    )

    assert.equal((await harness.services.state.run(id))?.run?.error, `items: ${reason}`)
  })
})
