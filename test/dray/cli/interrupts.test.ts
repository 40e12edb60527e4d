import assert from 'node:assert/strict'
import { it } from 'node:test'
import { listenForInterrupts } from 'dray-infra/internal/cli/interrupts.ts'

const interrupt = () => process.emit('SIGINT')

it('the first interrupt aborts; the same one passed on by npm does not hurry', () => {
  let time = 0
  let hurried = 0
  const interrupts = listenForInterrupts(() => time)
  interrupts.onHurry(() => hurried++)

  interrupt()
  time = 5
  interrupt()
  interrupts.stop()

  assert.equal(interrupts.signal.aborted, true)
  assert.equal(interrupts.signal.reason.name, 'Interrupted')
  assert.equal(hurried, 0)
})

it('an interrupt seconds after the first one hurries', () => {
  let time = 0
  let hurried = 0
  const interrupts = listenForInterrupts(() => time)
  interrupts.onHurry(() => hurried++)

  interrupt()
  time = 3_000
  interrupt()
  interrupts.stop()

  assert.equal(hurried, 1)
})

it('gives the signals back to Node', () => {
  const before = process.listenerCount('SIGINT')

  listenForInterrupts().stop()

  assert.equal(process.listenerCount('SIGINT'), before)
})
