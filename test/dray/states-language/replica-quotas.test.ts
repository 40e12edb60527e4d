import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OutcomeInput } from 'dray/internal/messages/stages.ts'
import { executionSuffix, tableStep } from 'dray/internal/messages/step-name.ts'
import { machinesOfUnit } from 'dray/internal/workflow/unit-machines.ts'
import { execute } from 'dray-infra/internal/states-language/index.ts'
import { errorNamed } from './machine.ts'
import { OutcomeTable } from './outcome-table.ts'
import { VirtualClock } from './virtual-clock.ts'

/* An execution's history takes 25,000 events, a payload 256 KiB: the interpreter refuses more, as the service does. */

const NAME = 'a-replica-whose-name-is-as-long-as-it-may-be-with-5'
const machines = new Map(machinesOfUnit({ kind: 'replica', name: NAME }))
const definition = [...machines.values()].find(({ name }) => name === NAME)?.definition as never

/** The longest names that tables have, each of which fails. */
const itemsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => {
    const step = tableStep(NAME, `billing.${'a table as long as it may be '.repeat(3)}${index}`)
    return { step, suffix: executionSuffix(step) }
  })

async function runOf(count: number, distributed: boolean) {
  const items = itemsOf(count)
  const table = new OutcomeTable()
  const named = { plan: {}, count, concurrency: 40, distributed }
  const result = await execute(
    definition,
    {},
    {
      clock: new VirtualClock(Date.UTC(2026, 0, 2, 3)),
      machines,
      executionName: 'run-1',
      random: () => 0.5,
      readItems: async () => items,
      executor: {
        async invoke(functionName, payload) {
          if (functionName === 'DrayTables') {
            return distributed
              ? { ...named, tables: [], items: { bucket: 'b', key: 'k' } }
              : { ...named, tables: items, items: null }
          }
          if (functionName === 'DrayPlan') throw errorNamed('Terminal', 'of no table. '.repeat(400))
          if (functionName === 'DrayOutcome') return table.outcome(payload as OutcomeInput)
          if (functionName === 'DrayGather') return { status: 'failed', reason: 'x'.repeat(8_000) }
          return payload
        },
      },
    },
  )
  return { ...result, failed: items.filter(({ step }) => table.of(step)?.status === 'failed').length }
}

test('1,000 tables that all fail take less than 80 % of the history of an execution, and of a payload', async () => {
  const [ten, thirty] = [await runOf(10, false), await runOf(30, false)]

  assert.deepEqual([ten.error, ten.failed, thirty.error, thirty.failed], ['PipelineFailed', 10, 'PipelineFailed', 30])
  const ofEach = (thirty.historyEvents - ten.historyEvents) / 20
  const events = ten.historyEvents + 990 * ofEach
  assert.ok(ofEach >= 10 && events < 0.8 * 25_000, `${events} events, ${ofEach} of each`)
  const bytes = Buffer.byteLength(JSON.stringify({ tables: itemsOf(1_000) }))
  assert.ok(bytes < 0.8 * 256 * 1024, String(bytes))
})

test('tables that are executions of a Distributed Map leave nothing in the history of the replica', async () => {
  const [ten, thirty] = [await runOf(10, true), await runOf(30, true)]

  assert.deepEqual([ten.failed, thirty.failed], [10, 30])
  assert.equal(thirty.historyEvents, ten.historyEvents)
  assert.ok(thirty.historyEvents < 100)
})
