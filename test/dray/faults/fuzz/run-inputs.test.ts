import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context } from 'aws-lambda'
import { checked } from 'dray/internal/messages/message.ts'
import { runInputOf } from 'dray/internal/messages/run-input.ts'
import { modeOf } from 'dray/internal/messages/run-mode.ts'
import { stageInputs } from 'dray/internal/messages/stages.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { keysOf } from 'dray-infra/internal/cli/keys-option.ts'
import { execute } from 'dray-infra/internal/states-language/index.ts'
import fc from 'fast-check'
import { VirtualClock } from '#test/states-language/virtual-clock.ts'
import { pipelineNamed } from '#test/workflow/units.ts'
import { damaged, hostileJson, hostileText } from './hostile-json.ts'
import { assertRefusal, assertSentence, cases, unlessRefused } from './refusals.ts'

// Read when the logger is made.
process.env.POWERTOOLS_LOG_LEVEL = 'SILENT'
const { handlerOf } = await import('dray/internal/lambda/handler.ts')

const { definition } = toStatesLanguage(workflow('daily', { steps: [run(pipelineNamed('orders'))] }))

const valid = fc.constantFrom<object>(
  { only: ['orders'], mode: { backfill: { from: '2024-01-01', to: '2024-02-01', chunk: '1d' } } },
  { only: ['orders'], mode: { keys: ['1', ['fi', '2']] } },
  { trigger: 'resume', mode: { resume: 'run-0' } },
  { mode: { replay: { run: null, ids: ['1'] } } },
  {
    trigger: 'event:EntityUpdated,schedule',
    events: ['shop/orders/1'],
    entities: { 'shop/orders': { keys: ['1001'], window: { from: '2024-01-01', to: '2024-01-02' } } },
    causation: [{ workflow: 'upstream', run: 'r0' }],
  },
)

test('an input of an execution is run as it is, or refused before any step in a sentence', async () => {
  const schema = runInputOf(['orders'])

  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged(valid), hostileJson), async (input) => {
      const called: string[] = []
      const { status, error, cause } = await execute(definition, input, {
        clock: new VirtualClock(),
        executionName: 'run-1',
        executor: {
          async invoke(name) {
            called.push(name)
            if (name === 'DrayFinish') return { status: 'success' }
            return name === 'DrayPlan' ? { plan: {}, epoch: 1, partitions: [], concurrency: 1 } : {}
          },
        },
      })

      assert.equal(status === 'SUCCEEDED', 'data' in checked(schema, input), cause ?? '')
      if (status === 'SUCCEEDED') return
      assert.deepEqual([status, error, called], ['FAILED', 'InvalidInput', []], cause ?? '')
      assertSentence(cause ?? '')
    }),
    cases(),
  )
})

const staged = { key: 'runs/r/orders/1', rows: 1, bytes: 2, sha256: 'a'.repeat(64) }
const ofRun = { version: 1, run: { id: 'r', workflow: 'daily', started_at: '2026-01-01T00:00:00Z', trigger: 'manual' } }
const planned = { ...ofRun, pipeline: 'orders', plan: staged, epoch: 1, planned_by: 'r' }
const extracted = { ...planned, partition: 0, extracted: staged, open: staged }
const payloads: Readonly<Record<keyof typeof stageInputs, object>> = {
  plan: { ...ofRun, pipeline: 'orders', mode: { keys: ['1'] }, only: ['orders'], entities: {} },
  extract: { ...planned, partition: 0 },
  transform: extracted,
  load: { ...extracted, transformed: staged, filtered: 0, other_keys: 0, quarantined: staged, findings: null },
  commit: planned,
  tables: { ...ofRun, pipeline: 'raw', mode: null, only: ['raw'], tables: ['raw/orders'], except: [] },
  gather: { ...ofRun, pipeline: 'raw', plan: staged },
  outcome: { ...ofRun, pipeline: 'orders', only: null, outcome: { status: 'failed', reason: 'r' }, fault: null },
  task: { ...ofRun, task: 'mart', mode: null, only: null },
  reconcile: {
    ...{ ...ofRun, pipeline: 'orders', step: 'reconcile-orders', mode: null, only: null },
    ...{ deep: false, fail_above: 0, at: staged, call: 2, calls: 96 },
  },
  finish: { ...ofRun, only: null, steps: { orders: { status: 'failed', reason: 'r' } } },
}

test('a handler works with a payload as it is, or refuses it in a sentence', async () => {
  const context = { awsRequestId: 'r', functionName: 'f', getRemainingTimeInMillis: () => 60_000 } as unknown as Context
  const steps = Object.keys(payloads) as (keyof typeof stageInputs)[]
  const handlers = new Map(steps.map((step) => [step, handlerOf(step, async () => 'done')]))
  const called = fc
    .constantFrom(...steps)
    .chain((step) => fc.tuple(fc.constant(step), fc.oneof(damaged(fc.constant(payloads[step])), hostileJson)))

  await fc.assert(
    fc.asyncProperty(called, async ([step, payload]) => {
      if ('data' in checked(stageInputs[step], payload)) return
      await assert.rejects(handlers.get(step)?.(payload as never, context) as Promise<unknown>, (error) => {
        assertRefusal(error)
        return true
      })
    }),
    cases(),
  )
})

test('keys of a command are texts, or refused in a sentence', async () => {
  const list = fc.array(hostileJson, { maxLength: 5 }).map((keys) => JSON.stringify(keys))

  await fc.assert(
    fc.asyncProperty(fc.oneof(hostileText, list), async (text) => {
      const keys = (await unlessRefused(() => keysOf(text))) ?? []
      assert.ok(keys.flat().every((part) => typeof part === 'string'))
    }),
    cases(),
  )
})

test('the mode of a recorded run is one, or refused in a sentence', async () => {
  const modes = damaged(valid).map((value) => JSON.stringify((value as { mode?: unknown }).mode ?? value))

  await fc.assert(
    fc.asyncProperty(fc.oneof(hostileText, modes), async (mode) => {
      const found = await unlessRefused(() => modeOf({ mode }))
      if (found !== null) assert.ok('data' in checked(runInputOf(['orders']), { mode: found }), JSON.stringify(found))
    }),
    cases(),
  )
})
