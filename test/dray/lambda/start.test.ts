import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { RunRequest } from 'dray/internal/messages/run-input.ts'
import {
  batchOf,
  context,
  ended,
  recordRun,
  startTriggers,
  type Triggers,
  tick,
  updated,
  WORKFLOW,
} from './triggers.ts'

let triggers: Triggers
before(async () => {
  triggers = await startTriggers()
})
beforeEach(() => triggers.reset())
after(() => triggers.stop())

const inputs = () => [...triggers.aws.executions.values()].map(({ input }) => JSON.parse(input) as RunRequest)
const only = () => {
  const [run, ...more] = triggers.aws.running
  assert.ok(run)
  assert.deepEqual(more, [])
  return run
}
/** Ends a run as Step Functions does: its status, and the event of it. */
const end = async (run: string, status: 'SUCCEEDED' | 'FAILED' = 'SUCCEEDED') => {
  const execution = triggers.aws.executions.get(run)
  assert.ok(execution)
  execution.status = status
  return triggers.janitor(ended(run, status), context)
}

describe('start', () => {
  test('makes one run and at most one follow-up of a hundred events in a burst, with the keys of all', async () => {
    const events = Array.from({ length: 100 }, (_, index) => updated(`e${index}`))
    const batches = Array.from({ length: 10 }, (_, index) => batchOf(...events.slice(index * 10, index * 10 + 10)))

    await Promise.all(batches.map((batch) => triggers.start(batch, context)))
    await end(only())
    const followUp = only()
    await end(followUp)

    const keys = inputs().flatMap(({ entities }) => entities['shop/orders']?.keys ?? [])
    assert.equal(triggers.aws.executions.size, 2)
    assert.deepEqual(triggers.aws.running, [])
    assert.deepEqual(keys.toSorted(), events.map(({ detail }) => detail.id).toSorted())
  })

  test('makes one run of events that come in one batch, and unites their windows', async () => {
    const window = (from: string, to: string) => ({ keys: undefined, window: { from, to } })
    const batch = batchOf(
      updated('a', window('2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z')),
      updated('b', window('2026-01-01T00:00:00Z', '2026-01-02T12:00:00Z')),
      updated('c', { keys: [7, 'x'] }),
      updated('d', { keys: ['x', 'y'] }),
    )

    const response = await triggers.start(batch, context)

    const [request] = inputs()
    assert.deepEqual(response, { batchItemFailures: [] })
    assert.equal(request?.trigger, 'event:EntityUpdated')
    assert.deepEqual(request?.entities, {
      'shop/orders': {
        keys: ['7', 'x', 'y'],
        window: { from: '2026-01-01T00:00:00Z', to: '2026-01-03T00:00:00Z' },
      },
    })
  })

  test('has no further effect for an event that is delivered again, during the run and after it', async () => {
    await triggers.start(batchOf(updated('same')), context)
    await triggers.start(batchOf(updated('same'), updated('same')), context)
    await end(only())
    await triggers.start(batchOf(updated('same')), context)

    assert.equal(triggers.aws.executions.size, 1)
  })

  test('notes a tick of the schedule during a run, which starts when that run has ended', async () => {
    await triggers.start(batchOf(updated('a')), context)
    const first = only()

    await triggers.start(batchOf(tick('2026-01-01T00:00:00Z')), context)
    const whileRunning = triggers.aws.executions.size
    const { started } = await end(first, 'FAILED')

    assert.equal(whileRunning, 1)
    assert.equal(only(), started)
    assert.equal(inputs().at(-1)?.trigger, 'schedule')
  })

  test('waits for a run from the console that holds a pipeline', async () => {
    const now = Date.now()
    await triggers.state.acquireLease('orders', 'by-hand', now, now + 60_000)

    await triggers.start(batchOf(tick('2026-01-01T00:00:00Z')), context)
    const meanwhile = triggers.aws.executions.size
    await triggers.janitor(ended('by-hand', 'ABORTED'), context)

    assert.equal(meanwhile, 0)
    assert.equal(triggers.aws.executions.size, 1)
  })

  test('starts the same run again when the service broke before it had started it', async () => {
    triggers.aws.faults.push('refused', 'refused', 'refused')
    await assert.rejects(() => triggers.start(batchOf(updated('a')), context), { name: 'Transient' })

    await triggers.start(batchOf(updated('a')), context)

    assert.deepEqual(inputs()[0]?.events, ['shop/orders/a'])
    assert.equal(triggers.aws.executions.size, 1)
  })

  test('starts one run when the reply to its start was lost', async () => {
    triggers.aws.faults.push('reply lost')

    await triggers.start(batchOf(updated('a')), context)
    await triggers.start(batchOf(updated('a')), context)

    assert.equal(triggers.aws.executions.size, 1)
  })
})

describe('a request that is too much', () => {
  const LONGEST_INPUT = 262_144
  const inputBytes = () => [...triggers.aws.executions.values()].map(({ input }) => Buffer.byteLength(input))

  test('of 38 events with long chains of causes starts one run', async () => {
    const causesOf = (event: number) =>
      Array.from({ length: 128 }, (_, place) => ({
        workflow: `w${event}-${place}-`.padEnd(100, 'x'),
        run: `r${event}-${place}-`.padEnd(100, 'x'),
      }))
    const events = Array.from({ length: 38 }, (_, event) => updated(`e${event}`, { causation: causesOf(event) }))

    await triggers.start(batchOf(...events.slice(0, 20)), context)
    await triggers.start(batchOf(...events.slice(20)), context)
    await end(only())
    await end(only())

    assert.equal(triggers.aws.executions.size, 2)
    assert.ok(inputBytes().every((bytes) => bytes < LONGEST_INPUT / 2))
  })

  test('of 900 long ids starts one run, and knows each of them when it comes again', async () => {
    const events = Array.from({ length: 900 }, (_, event) => updated(`e${event}`.padEnd(128, 'ä')))

    await triggers.start(batchOf(...events), context)
    await end(only())
    await triggers.start(batchOf(...events), context)

    assert.equal(triggers.aws.executions.size, 1)
    assert.equal(inputs()[0]?.events.length, 900)
    assert.ok(inputBytes().every((bytes) => bytes < LONGEST_INPUT / 2))
  })

  test('in a slot from before requests were bounded is started with as little as it needs', async () => {
    const { slots } = triggers
    const slot = await slots.open(WORKFLOW, Date.now())
    const events = Array.from({ length: 2900 }, (_, event) => `shop/orders/${event}`.padEnd(100, 'x'))
    const request = { trigger: 'event:EntityUpdated', events, entities: {}, causation: [] }
    await slots.write({ ...slot, generation: 1, run: 'too-large', request })

    await triggers.start(batchOf(updated('later')), context)
    await end('too-large')

    assert.deepEqual(
      inputs().map(({ events }) => events),
      [[], ['shop/orders/later']],
    )
  })

  test('for a machine that refuses everything holds up nothing, and starts when it takes it again', async () => {
    triggers.aws.refusals.set('StartExecution', 'StateMachineDoesNotExist')
    await assert.rejects(() => triggers.start(batchOf(updated('a')), context), { name: 'Terminal' })
    const slot = await triggers.slots.open(WORKFLOW, Date.now())
    triggers.aws.refusals.clear()

    await triggers.janitor({ sweep: true }, context)

    assert.equal(slot.run, null)
    assert.equal(triggers.aws.executions.size, 1)
  })
})

describe('the causes that an event claims', () => {
  const claiming = (run: string) => updated('x', { causation: [{ workflow: WORKFLOW, run }] })

  test('count for nothing where no such run was, so that a forged event silences no workflow', async () => {
    await recordRun(triggers, 'of-another', 'another')

    await triggers.start(batchOf(claiming('never-was'), claiming('of-another')), context)

    assert.deepEqual(triggers.deadLetters(), [])
    assert.deepEqual(inputs()[0]?.causation, [])
  })

  test('refuse its run where the workflow has had one of that name', async () => {
    await recordRun(triggers, 'it-was', WORKFLOW)

    await triggers.start(batchOf(claiming('it-was')), context)

    assert.equal(triggers.aws.executions.size, 0)
    assert.match(triggers.deadLetters()[0]?.reason ?? '', /caused by daily itself/)
  })
})

describe('a bad event', () => {
  const bad: [string, object | string, RegExp][] = [
    ['is not JSON', 'not json', /not JSON/],
    ['has no id', updated('x', { id: undefined }), /id/],
    ['is of a later version', updated('x', { version: 2 }), /version/],
    ['has neither a window nor keys', updated('x', { keys: undefined }), /either a window or keys/],
    [
      'has a window that ends before it starts',
      updated('x', {
        keys: undefined,
        window: { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' },
      }),
      /start before it ends/,
    ],
    [
      'has what SQS takes in no attribute',
      { ...updated('x', { version: 2 }), 'detail-type': `\u0000\u001b${'e'.repeat(5_000)}` },
      /^\ufffd\ufffde+ is not as docs\/events\.md says/,
    ],
    [
      'is an object with a length where a list is due',
      updated('x', { keys: { length: { toString: 1 } } }),
      /stands where a list is due/,
    ],
    [
      'was caused by the workflow itself',
      updated('x', {
        causation: [
          { workflow: WORKFLOW, run: 'r1' },
          { workflow: 'other', run: 'r2' },
        ],
      }),
      /caused by daily itself.*daily \(r1\) → other \(r2\)/,
    ],
  ]
  for (const [fault, body, says] of bad) {
    test(`that ${fault} goes to the dead letters with the reason, and the others of its batch go on`, async () => {
      await recordRun(triggers, 'r1', WORKFLOW)
      await recordRun(triggers, 'r2', 'other')
      const batch = batchOf(body, updated('good'))

      const response = await triggers.start(batch, context)

      const [letter, ...more] = triggers.deadLetters()
      assert.deepEqual(response, { batchItemFailures: [] })
      assert.deepEqual(more, [])
      assert.equal(letter?.body, batch.Records[0]?.body)
      assert.match(letter?.reason ?? '', says)
      assert.deepEqual(
        inputs().map(({ events }) => events),
        [['shop/orders/good']],
      )
    })
  }

  test('is left to the queue when it cannot be put aside', async () => {
    triggers.queues.deleteQueue('dead-letters', { region: 'eu-north-1' })
    const batch = batchOf('not json', updated('good'))

    const response = await triggers.start(batch, context)

    triggers.queues.createQueue('dead-letters', { region: 'eu-north-1' })
    assert.deepEqual(response, { batchItemFailures: [{ itemIdentifier: batch.Records[0]?.messageId }] })
    assert.equal(triggers.aws.executions.size, 1)
  })
})
