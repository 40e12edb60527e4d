import assert from 'node:assert/strict'
import { afterEach, before, beforeEach, describe, mock, test } from 'node:test'
import type { Context } from 'aws-lambda'
import { LeaseHeld, TerminalError, TransientError } from 'dray/internal/errors.ts'
import { Fenced } from 'dray/internal/pipeline/landing/ledger.ts'

const run = { id: 'run-1', workflow: 'daily', started_at: '2026-01-01T00:00:00Z', trigger: 'schedule' }
const plan = { key: 'k', rows: 1, bytes: 1, sha256: '0'.repeat(64) }
const input = { run, pipeline: 'orders', plan, epoch: 1 }
const context = { awsRequestId: 'request', getRemainingTimeInMillis: () => 60_000 } as unknown as Context
const counts = { read: 10, inserted: 4, updated: 3, unchanged: 1, filtered: 1, duplicate: 0, quarantined: 1 }

describe('the metrics of a step', () => {
  let handlerOf: typeof import('dray/internal/lambda/handler.ts').handlerOf
  let lines: string[]
  before(async () => {
    Object.assign(process.env, {
      POWERTOOLS_LOG_LEVEL: 'SILENT',
      STATE_TABLE_NAME: 'state',
      STAGING_URL: 'file:///tmp/dray-unused',
      AWS_REGION: 'eu-north-1',
    })
    ;({ handlerOf } = await import('dray/internal/lambda/handler.ts'))
  })
  beforeEach(() => {
    process.env.POWERTOOLS_METRICS_NAMESPACE = 'Dray/test'
    lines = []
  })
  afterEach(() => mock.restoreAll())

  const ended = async (step: 'commit' | 'finish', given: object, work: () => Promise<unknown>) => {
    const write = mock.method(process.stdout, 'write', (line: string) => lines.push(line) > 0)
    await handlerOf(step, work)(given, context).catch(() => undefined)
    write.mock.restore()
    return lines.filter((line) => line.includes('CloudWatchMetrics')).map((line) => JSON.parse(line))
  }

  const commit = (work: () => Promise<unknown>) => ended('commit', input, work)

  test('are the rows of a commit, by workflow, pipeline and step, and of no run', async () => {
    const [metrics, ...more] = await commit(async () => counts)

    assert.deepEqual(more, [])
    assert.equal(metrics._aws.CloudWatchMetrics[0].Namespace, 'Dray/test')
    assert.deepEqual(metrics._aws.CloudWatchMetrics[0].Dimensions, [['workflow'], ['workflow', 'pipeline', 'step']])
    assert.deepEqual([metrics.workflow, metrics.pipeline, metrics.step], ['daily', 'orders', 'commit'])
    assert.deepEqual([metrics.RowsRead, metrics.RowsWritten, metrics.RowsQuarantined], [10, 7, 1])
    assert.doesNotMatch(JSON.stringify(metrics), /run-1/)
  })

  test('are those of the replica where a table of it commits, which has no metrics of its own to pay for', async () => {
    const given = { ...input, pipeline: 'sales-raw/orders', run: { ...run, workflow: 'sales-raw/orders' } }

    const [metrics] = await ended('commit', given, async () => counts)

    assert.deepEqual([metrics.workflow, metrics.pipeline, metrics.RowsRead], ['sales-raw', 'sales-raw', 10])
  })

  const errors: [string, Error][] = [
    ['Failures', new TerminalError('broken')],
    ['Retries', new TransientError('away')],
    ['Retries', Object.assign(new Error('late'), { name: 'TimeoutError' })],
    ['Refusals', new LeaseHeld('orders', 'another', 0, '')],
    ['Fenced', new Fenced('overtaken', 2n)],
  ]
  for (const [metric, error] of errors) {
    test(`count a thrown ${error.name} (${error.message.slice(0, 9)}) as one of ${metric}`, async () => {
      const [metrics] = await commit(() => Promise.reject(error))

      const names = metrics._aws.CloudWatchMetrics[0].Metrics.map(({ Name }: { Name: string }) => Name)
      assert.deepEqual(names, [metric])
      assert.equal(metrics[metric], 1)
    })
  }

  test('are the US dollars of a run that has ended, by workflow alone', async () => {
    const ending = { status: 'success', failed: [], skipped: [], refused: [], us_dollars: 0.0123 }

    const [metrics, ...more] = await ended('finish', { run, steps: {} }, async () => ending)

    assert.deepEqual(more, [])
    assert.deepEqual(metrics._aws.CloudWatchMetrics[0].Dimensions, [['workflow']])
    assert.deepEqual([metrics.workflow, metrics.RunUsDollars], ['daily', 0.0123])
  })

  test('are not written where no namespace is set, as on a laptop', async () => {
    delete process.env.POWERTOOLS_METRICS_NAMESPACE

    assert.deepEqual(await commit(async () => counts), [])
  })
})
