import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyStep, type RunRecord } from 'dray/internal/state/state-store.ts'
import { refusedAmong } from 'dray/internal/triggers/refused-runs.ts'

const run = (id: string, over: Partial<RunRecord> = {}): RunRecord => ({
  id,
  workflow: 'nightly',
  status: 'failed',
  startTime: 0,
  endTime: 1,
  recordsProcessed: 0,
  recordsFailed: 0,
  executionTimeSeconds: 0,
  runner: 'test',
  trigger: 'manual',
  mode: null,
  only: null,
  error: null,
  ...over,
})
/** Whatever run was refused the pipeline. */
const state = {
  run: async (id: string) => ({
    run: run(id),
    steps: [{ ...emptyStep(id, 'customers'), status: 'refused' as const }],
    partitions: [],
  }),
}
const refused = async (...newestFirst: RunRecord[]) =>
  (await refusedAmong(newestFirst, new Set(['customers']), state)).map((one) => one.run.id)

/** A `reconcile --fix` that was refused: of the pipeline, not of a workflow. */
const fix = run('fix', { workflow: 'customers', trigger: 'reconcile', mode: '{"keys":[["1"]]}' })

test('a refused fix of a reconciliation is done by one follow-up, and not by later ones again', async () => {
  const followUp = run('follow-up', { status: 'success', only: ['customers'], mode: '{"resume":"fix"}' })

  assert.deepEqual(await refused(fix), ['fix'])
  assert.deepEqual(await refused(followUp, fix), [])
})

test('a refused run is done by a later usual one of its workflow, and by no other', async () => {
  assert.deepEqual(await refused(run('other', { status: 'success', workflow: 'hourly' }), run('one')), ['one'])
  assert.deepEqual(await refused(run('later', { status: 'success' }), run('one')), [])
  assert.deepEqual(await refused(run('later', { status: 'success' }), fix), ['fix'])
})
