import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { RunRequest } from 'dray/internal/messages/run-input.ts'
import { DynamoDbItemTable } from 'dray/internal/state/dynamodb-item-table.ts'
import { createStateClient } from 'dray/internal/state/dynamodb-state-store.ts'
import { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { TableWorkflowSlots } from 'dray/internal/state/table-workflow-slots.ts'
import { endRun } from 'dray/internal/triggers/end-run.ts'
import { requestRun } from 'dray/internal/triggers/request-run.ts'
import { sweep } from 'dray/internal/triggers/sweep.ts'
import { startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import fc from 'fast-check'
import { createStateTable } from '#test/services/create-state-table.ts'

const MINUTE = 60_000
const INTERVAL = 15 * MINUTE
const START = Date.parse('2026-01-01T00:00:00Z')

describe('the least interval between runs that events ask for', () => {
  let close: () => Promise<void>
  let state: TableStateStore
  let slots: TableWorkflowSlots
  before(async () => {
    const dynamodb = await startDynamoDb()
    const client = createStateClient({ endpoint: dynamodb.endpoint })
    await createStateTable(client, 'state')
    state = new TableStateStore(DynamoDbItemTable.of(client, 'state'))
    slots = new TableWorkflowSlots(DynamoDbItemTable.of(client, 'state'))
    close = async () => {
      client.destroy()
      await dynamodb.stop()
    }
  })
  after(() => close())

  let workflows = 0

  /** A workflow whose time is told, with the runs that it had. */
  function timed(minInterval = INTERVAL) {
    const workflow = { name: `timed-${++workflows}`, pipelines: [], minInterval }
    const runs = new Map<string, { readonly at: number; readonly request: RunRequest; isOver: boolean }>()
    let time = START
    const services = {
      state,
      slots,
      now: () => time,
      executions: {
        async start(run: string, request: RunRequest) {
          if (!runs.has(run)) runs.set(run, { at: time, request, isOver: false })
        },
        stateOf: async (run: string) => (runs.get(run)?.isOver === false ? ('running' as const) : ('ended' as const)),
        stopPipelines: async () => {},
      },
    }
    return {
      runs: () => [...runs.values()].map(({ at, request }) => ({ minute: (at - START) / MINUTE, ...request })),
      at(minute: number) {
        time = START + minute * MINUTE
      },
      event: (id: string, trigger = 'event:EntityUpdated') =>
        requestRun(workflow, [{ trigger, events: [id], entities: {}, causation: [] }], services),
      sweep: () => sweep(workflow, services),
      async end() {
        for (const [id, run] of runs) {
          if (run.isOver) continue
          run.isOver = true
          await endRun(workflow, { id, startTime: run.at, runner: 'local', trigger: 'event', reason: null }, services)
        }
      },
    }
  }

  test('lets the first run start at once, and the next with all that came meanwhile when it is over', async () => {
    const one = timed()
    await one.event('a')
    one.at(2)
    await one.end()
    one.at(3)
    const second = await one.event('b')
    one.at(5)
    await one.event('c')
    await one.sweep()
    one.at(14.9)
    await one.sweep()
    const before = one.runs().length
    one.at(15)
    await one.sweep()

    assert.deepEqual(second, { kind: 'waiting', until: START + INTERVAL })
    assert.equal(before, 1)
    assert.deepEqual(
      one.runs().map(({ minute, events }) => [minute, events]),
      [
        [0, ['a']],
        [15, ['b', 'c']],
      ],
    )
  })

  test('holds what came during a run when the run ends, and starts it with the next event after it', async () => {
    const one = timed()
    await one.event('a')
    one.at(1)
    await one.event('b')
    one.at(2)
    await one.end()
    const atTheEnd = one.runs().length
    one.at(20)
    await one.event('c')

    assert.equal(atTheEnd, 1)
    assert.deepEqual(one.runs().at(-1)?.events, ['b', 'c'])
  })

  test('does not hold a schedule, which takes the events that wait with it', async () => {
    const one = timed()
    await one.event('a')
    one.at(1)
    await one.end()
    await one.event('b')
    one.at(2)
    await one.event('schedule:x', 'schedule')

    assert.deepEqual(
      one.runs().map(({ minute, events }) => [minute, events]),
      [
        [0, ['a']],
        [2, ['b', 'schedule:x']],
      ],
    )
  })

  test('is none unless it is told', async () => {
    const one = timed(0)
    await one.event('a')
    await one.end()
    await one.event('b')

    assert.equal(one.runs().length, 2)
  })

  test('is kept whenever events come, runs end and sweeps look, and each event is in a run that began after it', async () => {
    const happening = fc.record({
      after: fc.integer({ min: 0, max: 12 }),
      what: fc.constantFrom('event', 'event', 'end', 'sweep'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 25 }), async (happenings) => {
        const one = timed()
        const came = new Map<string, number>()
        let minute = 0
        for (const { after, what } of happenings) {
          minute += after
          one.at(minute)
          if (what === 'event') {
            const id = `e${came.size}`
            came.set(id, minute)
            await one.event(id)
          } else await one[what as 'end' | 'sweep']()
        }
        await one.end()
        one.at(minute + INTERVAL / MINUTE)
        await one.sweep()

        const runs = one.runs()
        for (const [index, run] of runs.slice(1).entries())
          assert.ok(run.minute - (runs[index]?.minute ?? 0) >= 15, JSON.stringify(runs))
        for (const [id, minute] of came) {
          const covering = runs.filter(({ events }) => events.includes(id))
          assert.equal(covering.length, 1, id)
          assert.ok((covering[0]?.minute ?? -1) >= minute, id)
        }
      }),
      { numRuns: 15 },
    )
  })
})
