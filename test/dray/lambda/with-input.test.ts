import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import middy from '@middy/core'
import { withInput } from 'dray/internal/lambda/with-input.ts'
import { stageInputs } from 'dray/internal/messages/stages.ts'

const run = { id: 'run-1', workflow: 'daily', started_at: '2026-01-02T03:00:00.000Z', trigger: 'manual' }
const staged = { key: 'runs/run-1/orders/0/a', rows: 1, bytes: 2, sha256: 'a'.repeat(64) }
const extractInput = { run, pipeline: 'orders', plan: staged, epoch: 1, planned_by: 'run-1', partition: 0 }
const payloads: Readonly<Record<keyof typeof stageInputs, object>> = {
  plan: { run, pipeline: 'orders', mode: null, only: null, entities: null },
  extract: extractInput,
  transform: { ...extractInput, extracted: staged },
  load: { ...extractInput, extracted: staged, transformed: staged, filtered: 0, quarantined: null, findings: staged },
  commit: { run, pipeline: 'orders', plan: staged, epoch: 1, planned_by: 'run-1' },
  tables: { run, pipeline: 'raw', mode: null, only: null, tables: ['raw/orders'], except: null },
  gather: { run, pipeline: 'raw', plan: staged },
  task: { run, task: 'data-mart', mode: { resume: 'run-0' }, only: ['data-mart'] },
  reconcile: {
    ...{ run, step: 'reconcile-orders', pipeline: 'orders', mode: null, only: null },
    ...{ deep: true, fail_above: null, at: staged, call: 2, calls: 96 },
  },
  outcome: { run, pipeline: 'orders', only: null, outcome: null, fault: 'States.Timeout' },
  finish: { run, only: null, steps: { orders: { status: 'failed', reason: 'Terminal: no table', read: 5 } } },
}

/** What the stage is given of a payload. */
function taken(stage: keyof typeof stageInputs, payload: object): Promise<unknown> {
  const handler = middy()
    .use(withInput(stage, stageInputs[stage]))
    .handler(async (event) => event)
  return handler(payload as never, {} as never)
}

test('a payload that is none, or whose list is an object with a length, is refused in a sentence', async () => {
  const length = { toString: 1 }
  const wrong = [
    null,
    7,
    'plan',
    [],
    { ...payloads.plan, only: { length } },
    { ...payloads.plan, mode: { keys: { length } } },
  ]

  for (const payload of wrong) {
    await assert.rejects(taken('plan', payload as object), {
      name: 'Terminal',
      message: /^plan was called with a payload it does not take, so nothing was done: .{1,2000}; start a run/,
    })
  }
})

describe('the payload of', () => {
  for (const stage of Object.keys(payloads) as (keyof typeof stageInputs)[]) {
    test(`${stage} says its version; without one it is of the first`, async () => {
      const payload = payloads[stage]

      assert.deepEqual(Object.keys((await taken(stage, payload)) as object).sort(), Object.keys(payload).sort())
      await taken(stage, { version: 1, ...payload })
    })

    test(`${stage} is refused when a newer deployment has written it, with what to do`, async () => {
      await assert.rejects(taken(stage, { version: 2, ...payloads[stage] }), {
        name: 'Terminal',
        message: new RegExp(
          `^${stage} was called with a payload .* newer deployment .* deploy the newer one here, too`,
        ),
      })
    })
  }
})
