import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import type { CatalogueDocument } from 'dray-infra/internal/page/documents.ts'
import { nextStarts } from 'dray-infra/internal/page/next-starts.ts'
import { Schedules } from 'dray-infra/internal/page/schedules.ts'

const HOUR_MS = 3_600_000
const at = (text: string) => Date.parse(`${text}Z`)
const texts = (times: readonly number[]) => times.map((time) => new Date(time).toISOString().slice(0, 16))
const daily = { expression: '0 2 * * *', timezone: 'Europe/Helsinki' }
const hourly = { expression: '30 * * * *', timezone: 'Etc/UTC' }

describe('the next starts', () => {
  test('are five, by the clock of their place, which is put forward in between', () => {
    assert.deepEqual(texts(nextStarts([daily], at('2026-03-27T12:00'), 5)), [
      '2026-03-28T00:00',
      '2026-03-29T00:00',
      '2026-03-29T23:00',
      '2026-03-30T23:00',
      '2026-03-31T23:00',
    ])
  })

  test('are those of all schedules together, each moment once', () => {
    const twice = [hourly, { expression: '0,30 12 * * *', timezone: 'Etc/UTC' }]

    assert.deepEqual(texts(nextStarts(twice, at('2026-01-01T11:40'), 3)), [
      '2026-01-01T12:00',
      '2026-01-01T12:30',
      '2026-01-01T13:30',
    ])
  })

  test('come after the moment that is asked of, and are none without a schedule', () => {
    assert.deepEqual(texts(nextStarts([hourly], at('2026-01-01T12:30'), 1)), ['2026-01-01T13:30'])
    assert.deepEqual(nextStarts([], Date.now(), 5), [])
  })
})

describe('the schedules of the laptop', () => {
  const workflow = (name: string, ...schedules: CatalogueDocument['workflows'][number]['schedules'][number][]) => ({
    name,
    owner: null,
    steps: [],
    schedules,
    events: [],
    minInterval: 0,
  })
  let started: [string, string][]
  let catalogue: CatalogueDocument | null
  let schedules: Schedules

  beforeEach(() => {
    mock.timers.enable({ apis: ['setInterval', 'Date'], now: at('2026-01-01T12:00') })
    started = []
    catalogue = { workflows: [workflow('hourly', hourly), workflow('daily', daily)], units: [], models: [] }
    schedules = new Schedules(
      async () => catalogue,
      (name, due) => started.push([name, new Date(due).toISOString().slice(0, 16)]),
    )
  })
  afterEach(() => {
    schedules.turn(false)
    mock.timers.reset()
  })

  const pass = async (milliseconds: number) => {
    mock.timers.tick(milliseconds)
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  }

  test('start nothing until they are switched on', async () => {
    await pass(3 * HOUR_MS)

    assert.deepEqual([schedules.isOn, started], [false, []])
  })

  test('start a workflow when it is due, and once', async () => {
    schedules.turn(true)
    await pass(HOUR_MS / 2 - 1000)
    assert.deepEqual(started, [])

    await pass(1000)
    await pass(1000)

    assert.deepEqual(started, [['hourly', '2026-01-01T12:30']])
  })

  test('start nothing that was due before they were switched on', async () => {
    mock.timers.setTime(at('2026-01-01T18:00'))

    schedules.turn(true)
    await pass(60_000)

    assert.deepEqual(started, [])
  })

  test('start each workflow once on a machine that was asleep, with the latest moment', async () => {
    schedules.turn(true)
    mock.timers.setTime(at('2026-01-02T05:59'))

    await schedules.look(Date.now())

    assert.deepEqual(started.sort(), [
      ['daily', '2026-01-02T00:00'],
      ['hourly', '2026-01-02T05:30'],
    ])
  })

  test('start nothing any more when they are switched off', async () => {
    schedules.turn(true)
    schedules.turn(false)

    await pass(3 * HOUR_MS)

    assert.deepEqual([schedules.isOn, started], [false, []])
  })

  test('say the next starts of all workflows, and follow what is saved', async () => {
    const next = async () => (await schedules.next(Date.now(), 2)).map(({ workflow: name }) => name)
    assert.deepEqual(await next(), ['hourly', 'hourly'])

    catalogue = { workflows: [workflow('daily', daily)], units: [], models: [] }
    assert.deepEqual(await next(), ['daily', 'daily'])

    catalogue = null
    assert.deepEqual(await next(), [])
  })
})
