import assert from 'node:assert/strict'
import { it } from 'node:test'
import { newRunId, runIdOf } from 'dray/internal/messages/run-id.ts'

it('a run id reads as its start and is valid as the name of a Step Functions execution', () => {
  const id = newRunId(new Date('2026-11-23T07:02:12.036Z'))

  assert.match(id, /^2026-11-23t070212-10[0-9a-z]{5}$/)
  assert.match(id, /^[0-9A-Za-z_-]{1,80}$/)
})

it('run ids sort by their start, to the millisecond', () => {
  const starts = [0, 1, 35, 36, 999, 1_000, 60_000, 86_400_000, 40_000_000_000]

  const ids = starts.map((start) => newRunId(new Date(1_790_000_000_000 + start)))

  assert.deepEqual([...ids].sort(), ids)
})

it('runs of the same millisecond have different ids', () => {
  const now = new Date()

  const ids = new Set(Array.from({ length: 50 }, () => newRunId(now)))

  assert.equal(ids.size, 50)
})

it('the name of a run of a seed is the same for the same seed, of the same form, and another for another', () => {
  const now = new Date('2026-11-23T07:02:12.036Z')

  const id = runIdOf('daily#1', now)

  assert.match(id, /^2026-11-23t070212-[0-9a-z]{7}$/)
  assert.equal(runIdOf('daily#1', now), id)
  assert.notEqual(runIdOf('daily#2', now), id)
})
