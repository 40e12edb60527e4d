import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, mock, test } from 'node:test'
import { executionSuffix } from 'dray/internal/messages/step-name.ts'
import { emptyStep } from 'dray/internal/state/state-store.ts'
import { batchOf, context, ended, MACHINES, startTriggers, type Triggers, tick, WORKFLOW } from './triggers.ts'

/* Executions of replicas that end before their last state, while their tables are at work. */

const [ORDERS, CUSTOMERS] = ['sales-raw/orders', 'sales-raw/customers']
const EXECUTIONS = MACHINES.replace('stateMachine', 'execution')
const HOUR_MS = 3_600_000

let triggers: Triggers
let pipelineJanitor: typeof import('#test/fixture/functions/dray/pipeline-janitor.ts').handler
before(async () => {
  triggers = await startTriggers()
  // The definition of the workflow, and that of the replica.
  triggers.aws.definition = JSON.stringify([
    { step: 'rates', machine: `${MACHINES}:rates` },
    { step: 'sales-raw', machine: `${MACHINES}:sales-raw`, except: [] },
    { StateMachineArn: `${MACHINES}:sales-raw_table` },
  ])
  pipelineJanitor = (await import('#test/fixture/functions/dray/pipeline-janitor.ts')).handler
})
beforeEach(() => triggers.reset())
after(() => triggers.stop())

const ofTable = (run: string, table: string) => `${EXECUTIONS}:sales-raw_table:${run}-${executionSuffix(table)}`
const ownerOf = async (pipeline: string) => (await triggers.state.pipeline(pipeline))?.leaseOwner ?? null

/** A table has landed, one is at work; of a third there is a lease, and nothing is written yet. */
async function halfDone(run: string, workflow: string): Promise<void> {
  const { state } = triggers
  const now = Date.now()
  await state.startRun({ id: run, workflow, startTime: now, runner: 'stepfunctions', trigger: 'manual' })
  await state.putStep({ ...emptyStep(run, 'sales-raw'), startTime: now, tables: { total: 3, failed: 0 } })
  await state.putStep({ ...emptyStep(run, CUSTOMERS), startTime: now, status: 'success' })
  await state.putStep({ ...emptyStep(run, ORDERS), startTime: now })
  for (const pipeline of ['sales-raw', ORDERS, 'sales-raw/late'])
    await state.acquireLease(pipeline, run, now, now + HOUR_MS)
}

describe('the janitor of a workflow with a replica', () => {
  const started = async () => {
    await triggers.start(batchOf(tick('2026-01-01T00:00:00Z')), context)
    return triggers.aws.running[0] ?? ''
  }
  const kill = (run: string) => {
    const execution = triggers.aws.executions.get(run)
    if (execution) execution.status = 'ABORTED'
    return triggers.janitor(ended(run, 'ABORTED'), context)
  }

  test('stops the replica and its tables that are at work, and gives all of their leases back', async () => {
    const run = await started()
    await halfDone(run, WORKFLOW)

    await kill(run)

    assert.deepEqual(triggers.aws.stopped, [`${EXECUTIONS}:sales-raw:${run}`, ofTable(run, ORDERS)])
    assert.deepEqual(await Promise.all(['sales-raw', ORDERS, 'sales-raw/late'].map(ownerOf)), [null, null, null])
    const steps = (await triggers.state.run(run))?.steps ?? []
    assert.deepEqual(
      steps.map(({ step, status }) => `${step} ${status}`).sort(),
      [`${CUSTOMERS} success`, `${ORDERS} failed`, 'sales-raw failed'].sort(),
    )
  })

  test('starts a table at once that refused another run, when the run of the replica that held it ends', async () => {
    const run = await started()
    await halfDone(run, WORKFLOW)
    await assert.rejects(triggers.state.acquireLease(ORDERS, 'hourly-1', Date.now(), Date.now() + HOUR_MS), {
      name: 'LeaseHeld',
    })

    const { started: next } = await kill(run)

    const input = JSON.parse(triggers.aws.executions.get(next ?? '')?.input ?? '{}')
    assert.deepEqual([input.only, input.tables], [['sales-raw'], [ORDERS]])
  })

  test('measures how far a replica is behind by its tables, without those that are gone', async (t) => {
    const { state } = triggers
    const now = Date.now()
    const ago = (hours: number) => new Date(now - hours * HOUR_MS).toISOString().replace('T', ' ').replace('Z', '+00')
    for (const [table, hours] of [
      [ORDERS, 1],
      [CUSTOMERS, 2],
      ['sales-raw/gone', 30],
    ] as const)
      await state.setLastRun(table, ago(hours), now)
    await halfDone('r', WORKFLOW)
    const end = { status: 'failed', endTime: now, recordsProcessed: 0, recordsFailed: 0, error: 'x' } as const
    await state.finishRun('r', end)
    process.env.POWERTOOLS_METRICS_NAMESPACE = 'Dray/test'
    t.after(() => delete process.env.POWERTOOLS_METRICS_NAMESPACE)
    const lines: string[] = []
    const write = mock.method(process.stdout, 'write', (line: string) => lines.push(line) > 0)

    await triggers.janitor({ sweep: true }, context).finally(() => write.mock.restore())

    const metrics = lines.filter((line) => line.includes('FreshnessSeconds')).map((line) => JSON.parse(line))
    assert.deepEqual(
      metrics.map(({ pipeline, FreshnessSeconds }) => [pipeline, Math.round(FreshnessSeconds / 3600)]),
      [['sales-raw', 2]],
    )
  })

  test('leaves tables to the run that holds them, and starts one of them alone for a run that was refused', async () => {
    const run = await started()
    const now = Date.now()
    await triggers.state.startRun({
      id: run,
      workflow: WORKFLOW,
      startTime: now,
      runner: 'stepfunctions',
      trigger: 'x',
    })
    await triggers.state.acquireLease(ORDERS, 'another', now, now + HOUR_MS)
    await assert.rejects(triggers.state.acquireLease(ORDERS, run, now, now + HOUR_MS), { name: 'LeaseHeld' })
    await triggers.state.finishRun(run, {
      status: 'success',
      endTime: now,
      recordsProcessed: 0,
      recordsFailed: 0,
      error: null,
    })

    const held = await kill(run)
    assert.deepEqual([held.started, await ownerOf(ORDERS)], [null, 'another'])
    await triggers.state.releaseLease(ORDERS, 'another')
    const { started: next } = await triggers.janitor({ sweep: true }, context)

    const input = JSON.parse(triggers.aws.executions.get(next ?? '')?.input ?? '{}')
    assert.deepEqual([input.only, input.tables], [['sales-raw'], [ORDERS]])
    await triggers.janitor({ sweep: true }, context)
    assert.equal((await triggers.state.pipeline(ORDERS))?.pending, false)
  })

  test('ends, at its next sweep, the run of one table that a person had started and whose end nobody told', async () => {
    const { state, aws } = triggers
    const now = Date.now() - HOUR_MS
    const by = { workflow: ORDERS, startTime: now, runner: 'stepfunctions', trigger: 'manual' }
    await state.startRun({ id: 'by-hand', ...by })
    await state.acquireLease(ORDERS, 'by-hand', now, now + 6 * HOUR_MS)
    aws.executions.set('by-hand', { name: 'by-hand', input: '{}', status: 'RUNNING', startDate: now / 1000 })

    await triggers.janitor({ sweep: true }, context)
    const during = await ownerOf(ORDERS)
    aws.executions.set('by-hand', { name: 'by-hand', input: '{}', status: 'ABORTED', startDate: now / 1000 })
    await triggers.janitor({ sweep: true }, context)

    assert.deepEqual([during, await ownerOf(ORDERS)], ['by-hand', null])
    assert.equal((await state.run('by-hand'))?.run.status, 'failed')
  })
})

describe('the janitor of pipelines, of a replica that a person has started', () => {
  const stateMachineArn = `${MACHINES}:sales-raw`

  test('stops its tables that are at work, and gives all of their leases back', async () => {
    await halfDone('r', 'sales-raw')

    const output = await pipelineJanitor(ended('r', 'ABORTED', { input: '{}', stateMachineArn }), context)

    assert.deepEqual(output, { settled: true })
    assert.deepEqual(triggers.aws.stopped, [ofTable('r', ORDERS)])
    assert.deepEqual(await Promise.all(['sales-raw', ORDERS, 'sales-raw/late'].map(ownerOf)), [null, null, null])
    const detail = await triggers.state.run('r')
    assert.deepEqual(detail?.steps.map(({ status }) => status).sort(), ['failed', 'failed', 'success'])
    assert.equal(detail?.run.status, 'failed')
  })

  test('leaves the execution of a table that the replica has started to the replica', async () => {
    await halfDone('r', 'sales-raw')
    const run = { id: 'r', workflow: 'sales-raw', started_at: '2026-01-01T00:00:00Z', trigger: 'manual' }
    const input = JSON.stringify({ run, pipeline: ORDERS })

    const output = await pipelineJanitor(ended(`r-${executionSuffix(ORDERS)}`, 'FAILED', { input }), context)

    assert.deepEqual([output, await ownerOf(ORDERS)], [{ settled: false }, 'r'])
  })

  test('ends the run of a table alone', async () => {
    const now = Date.now()
    const by = { workflow: ORDERS, startTime: now, runner: 'stepfunctions', trigger: 'manual' }
    await triggers.state.startRun({ id: 'r', ...by })
    await triggers.state.acquireLease(ORDERS, 'r', now, now + HOUR_MS)
    await triggers.state.putStep({ ...emptyStep('r', ORDERS), startTime: now })

    await pipelineJanitor(ended('r', 'TIMED_OUT', { input: JSON.stringify({ pipeline: ORDERS }) }), context)

    assert.deepEqual([await ownerOf(ORDERS), (await triggers.state.run('r'))?.run.status], [null, 'failed'])
  })
})
