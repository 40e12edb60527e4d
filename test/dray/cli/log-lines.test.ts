import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryOf, lineText } from 'dray-infra/internal/cli/log-lines.ts'

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

  assert.equal(
    lineText(entryOf(line)),
    '07:02:12.114 ERROR orders load 3: failed  error_message=the disk is \\u001b[31mfull',
  )
})

test('a line that is no JSON is printed as it is', () => {
  assert.equal(lineText(entryOf('REPORT RequestId: 1')), 'REPORT RequestId: 1')
})

test('an event of a state machine is printed with its time, its machine, its state and its error', () => {
  const entered = { type: 'TaskStateEntered', details: { name: 'Plan' } }
  const failed = { type: 'ExecutionFailed', details: { error: 'WorkflowFailed', cause: 'orders failed' } }
  const place = {
    execution_arn: 'arn:aws:states:eu-north-1:123456789012:execution:daily:r',
    event_timestamp: '1795432005734',
  }

  assert.equal(lineText({ ...entered, ...place }), '11:06:45.734 STATE daily: Plan  TaskStateEntered')
  assert.equal(
    lineText({ ...failed, ...place }),
    '11:06:45.734 STATE daily: ExecutionFailed  WorkflowFailed  orders failed',
  )
})
