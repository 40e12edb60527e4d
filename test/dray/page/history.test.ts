import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { emptyStep, type StateStore } from 'dray/internal/state/state-store.ts'
import { openStateIn } from 'dray-infra/internal/local/state.ts'
import { historyOf, lagOf } from 'dray-infra/internal/page/pipelines.ts'

const AT = Date.parse('2026-01-01T12:00:00Z')

describe('the history of a step', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dray-history-'))
  let state: StateStore & { close(): void }

  before(async () => {
    state = await openStateIn(folder)
    await ran({ id: 'r-1', workflow: 'nightly', minutes: 0, read: 10 })
    await ran({ id: 'r-2', workflow: 'other', minutes: 1, read: 20 })
    await ran({ id: 'r-3', workflow: 'nightly', minutes: 2, read: 30, status: 'failed' })
    await ran({ id: 'r-4', workflow: 'nightly', minutes: 3, read: 99, only: ['customers'] })
    await ran({ id: 'r-5', workflow: 'third', minutes: 4, read: 99 })
    await state.startRun({
      id: 'r-6',
      workflow: 'nightly',
      startTime: AT + 9e5,
      runner: 'local:x:1',
      trigger: 'manual',
    })
  })
  after(() => {
    state.close()
    rmSync(folder, { recursive: true })
  })

  async function ran(run: {
    readonly id: string
    readonly workflow: string
    readonly minutes: number
    readonly read: number
    readonly status?: 'success' | 'failed'
    readonly only?: readonly string[]
  }) {
    const { id, workflow, minutes, read, status = 'success', only } = run
    const startTime = AT + minutes * 60_000
    const its = { runner: 'local:x:1', trigger: 'manual', ...(only === undefined ? {} : { only: [...only] }) }
    await state.startRun({ id, workflow, startTime, ...its })
    const end = { startTime, endTime: startTime + 5_000, status }
    const lastRunAfter = status === 'success' ? '2026-01-01 11:59:00.000000' : null
    await state.putStep({ ...emptyStep(id, 'orders'), ...end, read, inserted: read, quarantined: 1, lastRunAfter })
  }

  const of = (most: number) => historyOf(state, 'orders', { workflows: ['nightly', 'other'], most })

  test('has a point for each run that reached it, of all workflows that have it, oldest first', async () => {
    const points = await of(10)

    assert.deepEqual(
      points.map(({ run, status, read, seconds, quarantined }) => [run, status, read, seconds, quarantined]),
      [
        ['r-1', 'success', 10, 5, 1],
        ['r-2', 'success', 20, 5, 1],
        ['r-3', 'failed', 30, 5, 1],
      ],
    )
  })

  test('has the lag at the end of each run, and none where last_run did not move', async () => {
    assert.deepEqual(
      (await of(10)).map(({ lag }) => lag),
      [65, 125, null],
    )
  })

  test('has those of the latest runs alone, where there are more', async () => {
    assert.deepEqual(
      (await of(3)).map(({ run }) => run),
      ['r-2', 'r-3'],
    )
  })
})

describe('the lag of last_run', () => {
  test('is the time since then in seconds, taken as UTC', () => {
    assert.equal(lagOf('2026-01-01 11:59:00.123456', AT), 59.877)
    assert.equal(lagOf('2026-01-01T11:00', AT), 3600)
  })

  test('is never below zero', () => {
    assert.equal(lagOf('2026-01-01 12:01:00', AT), 0)
  })

  test('is none of a number, of a date alone, of nothing', () => {
    for (const lastRun of ['42', '2026-01-01', null]) assert.equal(lagOf(lastRun, AT), null)
    assert.equal(lagOf('2026-01-01 11:59:00', null), null)
  })
})
