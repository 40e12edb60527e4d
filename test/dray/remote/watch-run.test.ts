import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { TerminalError, TransientError } from 'dray/internal/errors.ts'
import { NO_ROWS } from 'dray/internal/messages/row-counts.ts'
import { writeJson } from 'dray/internal/staging/documents.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import { emptyStep } from 'dray/internal/state/state-store.ts'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import type { Execution } from 'dray-infra/internal/remote/machine.ts'
import { watchRun } from 'dray-infra/internal/remote/watch-run.ts'
import type { StepProgress } from 'dray-infra/internal/runs/run-progress.ts'
import { createStateTable } from '#test/services/create-state-table.ts'

/* State in dynalite, staging in a folder; what the executions are is said by the test. */

const NOT_KNOWN =
  'It has written nothing, so it was not reached, or ended before it could say so; the history of the execution tells which.'

describe('watchRun', () => {
  let dynamo: LocalDynamoDb
  let state: TableStateStore
  let folder: string
  let staging: FolderStagingStore
  let shown: StepProgress[]
  let notes: string[]
  let id = 0

  before(async () => {
    dynamo = await startDynamoDb()
    const client = createStateClient({ endpoint: dynamo.endpoint })
    await createStateTable(client, 'watched')
    client.destroy()
    state = createStateStore({ tableName: 'watched', endpoint: dynamo.endpoint })
    folder = await mkdtemp(join(tmpdir(), 'dray-watch-'))
    staging = new FolderStagingStore(folder)
  })
  beforeEach(async () => {
    shown = []
    notes = []
    id += 1
    const run = { id: `r-${id}`, workflow: 'daily', startTime: 1_000, runner: 'stepfunctions', trigger: 'manual' }
    await state.startRun(run)
  })
  after(async () => {
    state.close()
    await dynamo.stop()
    await rm(folder, { recursive: true })
  })

  const running: Execution = { status: 'running', startTime: 1_000, endTime: null, reason: null }
  const ended = (status: 'succeeded' | 'failed' | 'aborted', reason: string | null = null): Execution => ({
    status,
    startTime: 1_000,
    endTime: 3_500,
    reason,
  })

  /** Watches a run whose execution is these, one after another; the last one stays. */
  function watch(steps: readonly string[], executions: readonly (Execution | Error)[], signal?: AbortSignal) {
    let looks = 0
    const execution = async () => {
      const next = executions[Math.min(looks++, executions.length - 1)] as Execution | Error
      if (next instanceof Error) throw next
      return next
    }
    const run = { id: `r-${id}`, workflow: 'daily', only: null, steps, notes: [], execution }
    const view = {
      update: (step: StepProgress) => shown.push(step),
      note: (text: string) => notes.push(text),
      stop() {},
    }
    const watching = { state, staging, view, signal: signal ?? new AbortController().signal, pauseAfterFailureMs: 1 }
    return watchRun(run, watching)
  }

  test('shows how many of the planned partitions have landed, and ends with what the metrics say', async () => {
    const counts = { ...NO_ROWS, read: 5, inserted: 5 }
    const step = { ...emptyStep(`r-${id}`, 'orders'), startTime: 1_000 }
    await writeJson(staging, `runs/r-${id}/orders/_plan`, { partitions: [{}, {}, {}, {}] })
    await state.putStep(step)
    await state.putPartition({
      ...counts,
      runId: `r-${id}`,
      pipeline: 'orders',
      partition: 0,
      findings: 0,
      bytes: 0,
      executionTimeSeconds: 1,
    })
    const watched = watch(['customers', 'orders'], [running, running, ended('succeeded')])
    while (shown.length < 2) await new Promise(setImmediate)
    await state.putStep({ ...step, ...counts, status: 'success', endTime: 3_000 })
    await state.putStep({ ...emptyStep(`r-${id}`, 'customers'), status: 'success' })

    const result = await watched

    assert.deepEqual(
      shown
        .slice(0, 2)
        .map(({ name, status, phase, fraction, rowsLoaded }) => [name, status, phase, fraction, rowsLoaded]),
      [
        ['customers', 'waiting', '', 0, 0],
        ['orders', 'running', '1 of 4 partitions loaded', 2 / 6, 5],
      ],
    )
    assert.deepEqual([result?.status, result?.seconds, result?.steps[1]?.inserted], ['success', 2.5, 5])
    assert.deepEqual(
      shown.slice(-2).map(({ name, fraction }) => [name, fraction]),
      [
        ['customers', 1],
        ['orders', 1],
      ],
    )
  })

  test('shows how many tables of a replica have ended, and the rows of those that landed', async () => {
    const read = (rows: number) => ({ ...NO_ROWS, read: rows, inserted: rows })
    const replica = { ...emptyStep(`r-${id}`, 'sales-raw'), startTime: 1_000, tables: { total: 4, failed: 0 } }
    await state.putStep(replica)
    await state.putStep({ ...emptyStep(`r-${id}`, 'sales-raw/orders'), ...read(5), status: 'success' })
    await state.putStep({ ...emptyStep(`r-${id}`, 'sales-raw/log'), status: 'failed' })
    await state.putStep({ ...emptyStep(`r-${id}`, 'sales-raw/customers'), startTime: 1_000 })
    const watched = watch(['sales-raw'], [running, running, ended('failed')])
    while (shown.length < 1) await new Promise(setImmediate)
    await state.putStep({ ...replica, ...read(5), status: 'failed', error: 'log: gone' })

    const result = await watched

    const [first] = shown
    assert.deepEqual([first?.name, first?.phase, first?.rowsLoaded], ['sales-raw', '2 of 4 tables', 5])
    assert.deepEqual(
      result?.steps.map(({ step, error }) => [step, error]),
      [['sales-raw', 'log: gone']],
    )
  })

  test('marks what an execution that was aborted has left open, before the janitor does', async () => {
    await state.putStep({ ...emptyStep(`r-${id}`, 'orders'), startTime: 1_000 })

    const result = await watch(['orders', 'data-mart'], [ended('aborted', 'Stopped: by hand')])

    assert.equal(result?.status, 'interrupted')
    assert.deepEqual(
      result?.steps.map(({ status, error }) => [status, error]),
      [
        ['failed', 'The execution was aborted: Stopped: by hand.'],
        ['skipped', NOT_KNOWN],
      ],
    )
    assert.deepEqual(result?.notes, [])
  })

  test('says of a task that was called why it failed, when Finish failed, too, and never that it was not started', async () => {
    const called = { ...emptyStep(`r-${id}`, 'data-mart'), startTime: 1_000, error: 'Terminal: the mart is full' }
    await state.putStep(called)

    const result = await watch(['data-mart', 'mail'], [ended('failed', 'Transient: the state table was away')])

    assert.deepEqual(
      result?.steps.map(({ status, error }) => [status, error]),
      [
        ['failed', 'Terminal: the mart is full'],
        ['skipped', NOT_KNOWN],
      ],
    )
  })

  test('says why an execution failed when no step does', async () => {
    const result = await watch(['orders'], [ended('failed', 'InvalidInput: mode is not known')])

    assert.equal(result?.status, 'failed')
    assert.deepEqual(result?.notes, ['The execution failed: InvalidInput: mode is not known.'])
  })

  test('goes on when AWS does not answer for a while, and says so', async () => {
    await state.putStep({ ...emptyStep(`r-${id}`, 'orders'), status: 'success' })
    const away = new TransientError('the network is away')

    const result = await watch(['orders'], [running, away, away, running, ended('succeeded')])

    assert.equal(result?.status, 'success')
    assert.deepEqual(notes, ['AWS does not answer, which is tried again: the network is away', 'AWS answers again.'])
  })

  test('ends with an error that will not pass', async () => {
    await assert.rejects(watch(['orders'], [running, new TerminalError('forbidden')]), { message: 'forbidden' })
    assert.deepEqual(notes, [])
  })

  test('ends with no result when it is told to leave the run alone', async () => {
    const controller = new AbortController()
    const watched = watch(['orders'], [running], controller.signal)
    while (shown.length === 0) await new Promise(setImmediate)

    controller.abort()

    assert.equal(await watched, null)
  })
})
