import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryOf, lineText } from '#infra/cli/log-lines.ts'

test('a line of a log is printed with its time, its place and its details, without control characters', () => {
  const line = JSON.stringify({
    level: 'ERROR',
    message: 'failed',
    timestamp: '2026-11-23T07:02:12.114Z',
    service: 'dray',
    run: 'r',
    workflow: 'daily',
    pipeline: 'orders',
    step: 'load',
    partition: 2,
    error_message: 'the disk\nis \u001b[31mfull',
    stack: 'Error: …',
  })

  assert.equal(lineText(entryOf(line)), '07:02:12.114 ERROR orders load 3: failed  error_message=the disk is [31mfull')
})

test('a line that is no JSON is printed as it is', () => {
  assert.equal(lineText(entryOf('REPORT RequestId: 1')), 'REPORT RequestId: 1')
})
