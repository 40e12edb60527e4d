import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { runInputOf } from 'dray/internal/messages/run-input.ts'
import { refuseCircle, requestOf } from 'dray/internal/triggers/events.ts'
import { unionOf } from 'dray/internal/triggers/run-request.ts'
import fc from 'fast-check'
import {
  batchOf,
  context,
  ended,
  startTriggers,
  type Triggers,
  tick,
  updated,
  WORKFLOW,
} from '#test/lambda/triggers.ts'
import { damaged, hostileJson, hostileText } from './hostile-json.ts'
import { assertRefusal, assertSentence, cases, unlessRefused } from './refusals.ts'

const completed = {
  source: 'dray.upstream',
  'detail-type': 'WorkflowCompleted',
  detail: {
    version: 1,
    id: 'r1',
    workflow: 'upstream',
    run: 'r1',
    status: 'success',
    started_at: '2026-01-01T00:00:00Z',
    steps: { orders: 'success' },
    causation: [{ workflow: WORKFLOW, run: 'r0' }],
  },
}
const inWindow = updated('e2', {
  keys: undefined,
  window: { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00+02:00' },
  causation: [{ workflow: 'upstream', run: 'r0' }],
})
const valid = fc.constantFrom<object>(updated('e1'), JSON.parse(JSON.stringify(inWindow)), completed, tick('t1'))
const body = fc.oneof(
  { weight: 3, arbitrary: damaged(valid).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: hostileText },
)

/** What SQS gives out it has taken before: no body is empty, and none has what it refuses. */
const queued = body
  .filter((text) => text !== '')
  .map((text) => text.replace(/[^ -~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`))
/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
const TAKEN_BY_SQS = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]+$/u

test('an event asks for a run that an execution can have, or is refused in a sentence', async () => {
  const input = runInputOf(['orders'])

  await fc.assert(
    fc.asyncProperty(body, async (text) => {
      const request = await unlessRefused(() => requestOf(text))
      if (request === null) return
      input.parse(JSON.parse(JSON.stringify(unionOf([request, request]))))
      await unlessRefused(() => refuseCircle(request, WORKFLOW))
    }),
    cases(),
  )
})

describe('what AWS calls for an event', () => {
  let triggers: Triggers
  before(async () => {
    triggers = await startTriggers()
  })
  beforeEach(() => triggers.reset())
  after(() => triggers.stop())

  test('starts, notes or puts aside with its reason whatever is in the queue, and asks for none of it again', async () => {
    const batches = fc.array(queued, { minLength: 10, maxLength: 10 })

    await fc.assert(
      fc.asyncProperty(batches, async (bodies) => {
        const before = triggers.deadLetters().length
        const { batchItemFailures } = await triggers.start(batchOf(...bodies), context)

        assert.deepEqual(batchItemFailures, [])
        for (const { reason = '' } of triggers.deadLetters().slice(before)) {
          assertSentence(reason)
          assert.match(reason, TAKEN_BY_SQS)
        }
        for (const { input } of triggers.aws.executions.values()) assert.doesNotThrow(() => JSON.parse(input))
      }),
      cases(1 / 10),
    )
  })

  test('ends runs, or refuses in a sentence, whatever EventBridge says of an execution', async () => {
    const events = damaged(fc.constantFrom(ended('r1', 'FAILED', { error: 'E', cause: 'c' }), { sweep: true }))

    await fc.assert(
      fc.asyncProperty(fc.oneof(events, hostileJson), async (event) => {
        await triggers.janitor(event as never, context).catch(assertRefusal)
      }),
      cases(1 / 5),
    )
  })
})
