import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { emptyStep, type StateStore } from 'dray/internal/state/state-store.ts'
import { openStateIn } from 'dray-infra/internal/local/state.ts'
import { Histories, lagOf } from 'dray-infra/internal/page/histories.ts'

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

  const of = (most: number) => new Histories(state, { most }).of('orders', ['nightly', 'other'])

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

describe('the history of a step that is asked for again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dray-history-'))
  let state: StateStore & { close(): void }
  let asked: { runs: number; records: string[] }
  let histories: Histories

  before(async () => {
    state = await openStateIn(folder)
    for (let place = 1; place <= 60; place++) await starts(place, { ends: true })
  })
  after(() => {
    state.close()
    rmSync(folder, { recursive: true })
  })
  beforeEach(() => {
    asked = { runs: 0, records: [] }
    histories = new Histories(counted(state, asked), { most: 40 })
  })

  async function starts(place: number, { ends }: { readonly ends: boolean }) {
    const id = `r-${place}`
    const startTime = AT + place * 60_000
    await state.startRun({ id, workflow: 'nightly', startTime, runner: 'local:x:1', trigger: 'manual' })
    if (ends) await end(place)
  }

  async function end(place: number) {
    const startTime = AT + place * 60_000
    const its = { startTime, endTime: startTime + 5_000, status: 'success' } as const
    await state.putStep({ ...emptyStep(`r-${place}`, 'orders'), ...its, read: place })
    await state.finishRun(`r-${place}`, { ...its, recordsProcessed: place, recordsFailed: 0, error: null })
  }

  const reads = async () => (await histories.of('orders', ['nightly'])).map(({ read }) => read)
  const upTo = (last: number) => Array.from({ length: 40 }, (_, place) => last - 39 + place)

  test('asks for the records of runs that have ended once, and lists the newest runs alone', async () => {
    assert.deepEqual([await reads(), asked.runs, asked.records.length], [upTo(60), 40, 40])

    assert.deepEqual([await reads(), asked.runs, asked.records.length], [upTo(60), 65, 40])
  })

  test('asks for a run that is at work until it has ended', async () => {
    await reads()
    await starts(61, { ends: false })
    asked.records = []
    await reads()
    await end(61)

    assert.deepEqual(await reads(), upTo(61))
    await reads()

    assert.deepEqual(asked.records, ['r-61', 'r-61'])
  })

  test('misses none where more runs are new than are listed', async () => {
    await reads()
    for (let place = 62; place <= 91; place++) await starts(place, { ends: true })

    assert.deepEqual(await reads(), upTo(91))
  })

  test('misses no end of a run that began before those that are listed', async () => {
    await starts(92, { ends: false })
    await reads()
    for (let place = 93; place <= 120; place++) await starts(place, { ends: true })
    await reads()
    await end(92)

    assert.deepEqual(await reads(), upTo(120))
  })
})

/** A store that counts the runs that it lists, and notes the records that it gives. */
function counted(state: StateStore, asked: { runs: number; records: string[] }): StateStore {
  return new Proxy(state, {
    get(target, name) {
      if (name === 'runs') {
        return async (filter: Parameters<StateStore['runs']>[0]) => {
          const found = await target.runs(filter)
          asked.runs += found.length
          return found
        }
      }
      if (name === 'stepRecord') {
        return (run: string, step: string) => {
          asked.records.push(run)
          return target.stepRecord(run, step)
        }
      }
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

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
