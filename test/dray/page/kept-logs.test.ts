import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { KeptLogs } from 'dray-infra/internal/page/kept-logs.ts'

const MINUTE_MS = 60_000

describe('the logs that the page keeps', () => {
  let now: number
  let reads: string[]
  let fault: Error | null
  let logs: KeptLogs

  beforeEach(() => {
    now = 0
    reads = []
    fault = null
    const read = async (run: string) => {
      reads.push(run)
      if (fault !== null) throw fault
      return [{ message: `${reads.length}` }]
    }
    logs = new KeptLogs(read, { keptMs: 10_000, now: () => now })
  })

  test('are read once by all who ask within a while, and again after it', async () => {
    const [one, other] = await Promise.all([logs.of('r-1'), logs.of('r-1')])
    now += 9_999
    await logs.of('r-1')
    assert.deepEqual([one, other, reads], [[{ message: '1' }], [{ message: '1' }], ['r-1']])

    now += 1

    assert.deepEqual(await logs.of('r-1'), [{ message: '2' }])
  })

  test('are read no more once the run is so long over that its last lines have come', async () => {
    await logs.of('r-1', 0)
    now += 14 * MINUTE_MS
    await logs.of('r-1', 0)
    now += 2 * MINUTE_MS
    await logs.of('r-1', 0)
    assert.equal(reads.length, 3)

    now += 60 * MINUTE_MS
    await logs.of('r-1', 0)

    assert.equal(reads.length, 3)
  })

  test('are read again after a refusal, which is said to whoever asks', async () => {
    fault = new Error('refused')
    now = 60 * MINUTE_MS
    await assert.rejects(logs.of('r-1', 0), /refused/)
    fault = null
    now += 10_000

    assert.deepEqual(await logs.of('r-1', 0), [{ message: '2' }])
  })
})
