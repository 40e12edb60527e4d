import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import { emptyStep, type StateStore } from 'dray/internal/state/state-store.ts'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { settleDeadRuns, settleRun } from 'dray-infra/internal/runs/settle-run.ts'
import { createStateTable } from '#test/services/create-state-table.ts'

describe('settling a run', () => {
  let dynamodb: LocalDynamoDb
  let state: TableStateStore

  before(async () => {
    dynamodb = await startDynamoDb()
    const client = createStateClient({ endpoint: dynamodb.endpoint })
    await createStateTable(client, 'settle')
    client.destroy()
    state = createStateStore({ tableName: 'settle', endpoint: dynamodb.endpoint })
  })
  after(async () => {
    state.close()
    await dynamodb.stop()
  })

  /** A run that works on one pipeline. */
  async function startRun(id: string, pipeline: string, runner: string): Promise<void> {
    await state.startRun({ id, workflow: 'daily', startTime: 1_000, runner, trigger: 'manual' })
    await state.acquireLease(pipeline, id, Date.now(), Date.now() + 900_000)
    await state.putStep({ ...emptyStep(id, pipeline), startTime: 1_000 })
  }

  it('gives its leases back and ends its open steps as failed, itself as interrupted', async () => {
    await startRun('run-1', 'orders', 'local:here:1')

    await settleRun(state, 'run-1', { reason: 'Interrupted.', wasStopped: true }, 5_000)

    const detail = await state.run('run-1')
    assert.equal((await state.pipeline('orders'))?.leaseOwner, null)
    assert.equal(detail?.run.status, 'interrupted')
    assert.equal(detail?.run.error, 'Interrupted.')
    assert.equal(detail?.run.endTime, 5_000)
    assert.deepEqual(
      detail?.steps.map(({ step, status, error }) => ({ step, status, error })),
      [{ step: 'orders', status: 'failed', error: 'Interrupted.' }],
    )
  })

  it('leaves the leases of other runs alone', async () => {
    await startRun('run-2', 'customers', 'local:here:1')
    await startRun('run-3', 'stock', 'local:here:1')

    await settleRun(state, 'run-2', { reason: 'Interrupted.' })

    assert.equal((await state.pipeline('stock'))?.leaseOwner, 'run-3')
  })

  it('does not change a run that has ended, but takes its leases', async () => {
    await startRun('run-4', 'prices', 'local:here:1')
    await state.finishRun('run-4', {
      status: 'success',
      endTime: 2_000,
      recordsProcessed: 3,
      recordsFailed: 0,
      error: null,
    })

    await settleRun(state, 'run-4', { reason: 'too late' })

    assert.equal((await state.run('run-4'))?.run.status, 'success')
    assert.equal((await state.pipeline('prices'))?.leaseOwner, null)
  })

  it('settles the runs of dead processes of this machine, and only those', async () => {
    await startRun('dead', 'a', `local:${hostname()}:111`)
    await startRun('alive', 'b', `local:${hostname()}:222`)
    await startRun('elsewhere', 'c', 'local:another-host:111')
    await startRun('cloud', 'd', 'stepfunctions')

    const settled = await settleDeadRuns(state, ({ runner }) => runner.endsWith(':222'))

    assert.deepEqual(settled, ['dead'])
    assert.equal((await state.pipeline('a'))?.leaseOwner, null)
    for (const [run, pipeline] of [
      ['alive', 'b'],
      ['elsewhere', 'c'],
      ['cloud', 'd'],
    ] as const) {
      assert.equal((await state.run(run))?.run.status, 'running')
      assert.equal((await state.pipeline(pipeline))?.leaseOwner, run)
    }
  })

  it('looks at runs and leases themselves where the lists of them show what was never written', async () => {
    await startRun('half-ended', 'half', `local:${hostname()}:111`)
    await startRun('half-released', 'released', `local:${hostname()}:111`)
    const ended = { endTime: 2_000, recordsProcessed: 0, recordsFailed: 0, error: null }
    await state.finishRun('half-released', { status: 'failed', ...ended })
    const lists: Partial<StateStore> = {
      runs: async (filter) => (await state.runs(filter)).filter(({ id }) => id !== 'half-ended'),
      pipelines: async () => (await state.pipelines()).map((each) => ({ ...each, leaseOwner: null })),
    }
    const ahead = new Proxy(state, {
      get(store, name) {
        const member = Reflect.get(lists, name) ?? Reflect.get(store, name)
        return typeof member === 'function' ? member.bind(store) : member
      },
    })

    assert.deepEqual(await settleDeadRuns(ahead, ({ runner }) => runner.endsWith(':222')), ['half-ended'])
    assert.equal((await state.run('half-ended'))?.run.status, 'failed')
    assert.equal((await state.pipeline('half'))?.leaseOwner, null)
    assert.equal((await state.pipeline('released'))?.leaseOwner, null)
  })

  it('gives back a lease that a Plan has taken after its run had ended, and died with', async () => {
    const end = { endTime: 2_000, recordsProcessed: 0, recordsFailed: 0, error: null }
    await state.startRun({
      id: 'ended',
      workflow: 'daily',
      startTime: 1_000,
      runner: 'local:here:1',
      trigger: 'manual',
    })
    await state.finishRun('ended', { status: 'failed', ...end })
    await state.acquireLease('late', 'ended', Date.now(), Date.now() + 900_000)
    await startRun('at-work', 'early', `local:${hostname()}:222`)

    const settled = await settleDeadRuns(state, ({ runner }) => runner.endsWith(':222'))

    assert.deepEqual(settled, [])
    assert.equal((await state.pipeline('late'))?.leaseOwner, null)
    assert.equal((await state.pipeline('early'))?.leaseOwner, 'at-work')
  })
})
