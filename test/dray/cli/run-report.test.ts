import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { emptyStep } from 'dray/internal/state/state-store.ts'
import { jsonReport, retriesOf, textReport } from 'dray-infra/internal/cli/run-report.ts'
import type { RunResult } from 'dray-infra/internal/runs/run-result.ts'

const stream = new PassThrough() as unknown as NodeJS.WriteStream
const places = {
  env: 'local',
  logFile: '/home/logs/r.jsonl',
  stream,
  locate: (prefix: string) => `/staging/${prefix}`,
}

const loaded = {
  ...emptyStep('r', 'orders'),
  status: 'success' as const,
  read: 200_000,
  inserted: 199_990,
  quarantined: 10,
  deleted: 4,
  findings: 1,
  quarantine: 'quarantine/orders/r',
  executionTimeSeconds: 2,
  lastRunAfter: '2026-11-23 06:57:12.000000',
}
const skipped = {
  ...emptyStep('r', 'data-mart'),
  status: 'skipped' as const,
  error: 'orders failed:\nno\u001b[2J table',
}

function result(status: RunResult['status'], steps: RunResult['steps']): RunResult {
  return { id: 'r', workflow: 'daily', status, seconds: 12.34, steps }
}

describe('the report of a run', () => {
  it('has a line for each step with its counts and its rate', async () => {
    const text = await textReport(result('success', [loaded]), places)

    assert.match(
      text,
      /^step +status +read +inserted +updated +unchanged +filtered +duplicate +quarantined +deleted +seconds +rows\/s$/m,
    )
    assert.match(text, /^orders +success +200,000 +199,990 +0 +0 +0 +0 +10 +4 +2\.00 +100,000$/m)
    assert.match(text, /Run r: success in 12\.3 s\./)
  })

  it('says where the quarantine is and what to do next', async () => {
    const text = await textReport(result('success', [loaded]), places)

    assert.match(
      text,
      /orders: 10 rows in quarantine and 1 finding on rows that were loaded: `npx dray quarantine show \S+`; \/staging\/quarantine\/orders\/r/,
    )
    assert.match(text, /Next: `npx dray run daily` again reads only what has changed since/)
  })

  it('gives the reason of a step that did not succeed on one line, without control characters', async () => {
    const text = await textReport(result('failed', [skipped]), places)

    assert.match(text, /^ {2}data-mart skipped: orders failed: no\\u001b\[2J table$/m)
    assert.match(text, /repair the cause.*\/home\/logs\/r\.jsonl/)
  })

  it('says what is no fault and should be known, of each step and of the run', async () => {
    const noted = { ...result('success', [{ ...loaded, notes: ['2 rows have no cursor'] }]), notes: ['a waits for b'] }

    const text = await textReport(noted, places)

    assert.match(text, /^ {2}note: orders: 2 rows have no cursor\n {2}note: a waits for b$/m)
    assert.deepEqual(
      [jsonReport(noted).notes, jsonReport(noted).steps[0]?.notes],
      [['a waits for b'], ['2 rows have no cursor']],
    )
  })

  it('says what many steps have to say once', async () => {
    const steps = ['a', 'b', 'c', 'd', 'e', 'f'].map((step) => ({ ...loaded, step, notes: ['done already'] }))

    const text = await textReport(result('success', steps), places)

    assert.match(text, /^ {2}note: a, b, c, d and 2 others: done already$/m)
  })

  it('says for how many partitions of a step Load was tried more than once', () => {
    const tried = (pipeline: string, ...attempts: number[]) => attempts.map((count) => ({ pipeline, attempts: count }))

    const lines = retriesOf([...tried('orders', 1, 3, 2), ...tried('customers', 1), ...tried('items', 2)])

    assert.deepEqual(lines, [
      '  orders: Load was tried up to 3 times for 2 of 3 partitions',
      '  items: Load was tried twice for 1 of 1 partition',
    ])
  })

  it('has no escape sequences where the stream is no terminal', async () => {
    const text = await textReport(result('success', [loaded]), places)

    assert.equal(text.includes('\u001b'), false)
  })

  it('is one JSON document for programs', () => {
    const document = jsonReport(result('success', [loaded]))

    assert.equal(document.run_id, 'r')
    assert.deepEqual(Object.keys(document.steps[0] ?? {}), [
      'step',
      'status',
      'reason',
      'notes',
      'read',
      'inserted',
      'updated',
      'unchanged',
      'filtered',
      'duplicate',
      'quarantined',
      'deleted',
      'left',
      'gone',
      'findings',
      'quarantine',
      'last_run_before',
      'last_run_after',
      'start_time',
      'end_time',
      'seconds',
    ])
    assert.equal(document.steps[0]?.seconds, 2)
  })
})
