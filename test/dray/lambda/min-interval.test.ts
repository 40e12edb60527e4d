import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { batchOf, context, ended, startTriggers, type Triggers, updated, WORKFLOW } from './triggers.ts'

let triggers: Triggers
before(async () => {
  process.env.WORKFLOW_MIN_INTERVAL = '900'
  triggers = await startTriggers()
})
after(() => triggers.stop())

test('start holds events that come too soon after a run, and the janitor starts the run of them when it is time', async () => {
  const { aws, slots, start, janitor } = triggers
  await start(batchOf(updated('first')), context)
  const [run = ''] = aws.running
  Object.assign(aws.executions.get(run) ?? {}, { status: 'SUCCEEDED' })
  await janitor(ended(run, 'SUCCEEDED'), context)

  await start(batchOf(updated('second')), context)
  await start(batchOf(updated('third')), context)
  const early = await janitor({ sweep: true }, context)
  const slot = await slots.open(WORKFLOW, Date.now())
  await slots.write({ ...slot, tookAt: Date.now() - 900_000 })
  const { started } = await janitor({ sweep: true }, context)

  assert.equal(early.started, null)
  assert.deepEqual(aws.running, [started])
  const { events } = JSON.parse(aws.executions.get(started ?? '')?.input ?? '{}')
  assert.deepEqual(events, ['shop/orders/second', 'shop/orders/third'])
})
