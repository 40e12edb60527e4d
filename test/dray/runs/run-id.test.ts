import assert from 'node:assert/strict'
import { it } from 'node:test'
import { newRunId } from 'dray/internal/messages/run-id.ts'

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
