import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, realClock } from 'dray-infra/internal/states-language/index.ts'
import { VirtualClock } from './virtual-clock.ts'

const clocks: [name: string, create: () => Clock][] = [
  ['the real clock', () => realClock],
  ['the virtual clock', () => new VirtualClock()],
]
for (const [name, create] of clocks) {
  test(`${name} wakes sleepers in the order of their times`, async () => {
    const clock = create()
    const start = clock.now()
    const woken: number[] = []

    await Promise.all([30, 0, 15].map((ms) => clock.sleep(ms).then(() => woken.push(ms))))

    assert.deepEqual(woken, [0, 15, 30])
    assert.ok(clock.now() - start >= 29)
  })

  test(`${name} ends a sleep with the reason of the signal`, async () => {
    const clock = create()
    const reason = new Error('enough')
    const controller = new AbortController()

    const sleep = clock.sleep(60_000, controller.signal)
    controller.abort(reason)

    await assert.rejects(sleep, reason)
    await assert.rejects(clock.sleep(60_000, AbortSignal.abort(reason)), reason)
  })
}

test('the virtual clock jumps over long times and leaves no time behind an ended sleep', async () => {
  const clock = new VirtualClock(1_000)
  const controller = new AbortController()
  const ended = clock.sleep(10 ** 12, controller.signal).catch(() => {})

  await clock.sleep(86_400_000)
  controller.abort()
  await ended
  await clock.sleep(1)

  assert.equal(clock.now(), 86_401_001)
})
