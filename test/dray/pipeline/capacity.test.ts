import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { closeDatabases, database } from 'dray/internal/active-record/database.ts'
import { bigint, text } from 'dray/internal/active-record/field-kinds.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import {
  type Assumptions,
  assumptions,
  type Estimate,
  estimate,
  MOST_PARTITIONS,
  partitionSize,
} from 'dray/internal/pipeline/plan/capacity.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { readJsonArray } from 'dray/internal/staging/documents.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { execute, realClock } from 'dray-infra/internal/states-language/index.ts'
import fc from 'fast-check'
import { type Harness, openHarness } from './harness.ts'

const source = database('capacity-source')
const target = database('capacity-target')
class Item extends source.table('item', { id: bigint().primaryKey(), label: text() }) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: text() }) {}

/** Forwards every call and counts those of these methods. */
function counted<T extends object>(
  object: T,
  methods: readonly string[],
): { readonly proxy: T; readonly count: () => number } {
  let calls = 0
  const proxy = new Proxy(object, {
    get(_, name) {
      const value = Reflect.get(object, name)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        if (methods.includes(String(name))) calls += 1
        return value.apply(object, given)
      }
    },
  })
  return { proxy, count: () => calls }
}

describe('the estimate of a run', () => {
  let harness: Harness
  before(async () => {
    harness = await openHarness()
    for (const { name } of [source, target])
      process.env[urlVariable(name)] = `sqlite:${join(harness.folder, `${name}.db`)}`
    await Item.createTable()
    await Product.createTable()
    await Item.insertAll(Array.from({ length: 1011 }, (_, index) => ({ id: BigInt(index), label: 'x' })))
  })
  after(async () => {
    await closeDatabases()
    await harness.close()
  })

  for (const partitionRows of [100, 2]) {
    test(`counts what a run with ${partitionRows} rows a partition asks of the services`, async () => {
      const items = pipeline(`items-of-${partitionRows}`, {
        extract: fullLoad(Item, { partitionRows }),
        transform: ({ id, label }) => ({ id, label }),
        load: upsert(Product, { by: 'id' }),
        concurrency: 4,
      })
      const puts = counted(harness.services.staging, ['write'])
      const gets = counted(puts.proxy, ['read', 'open'])
      const writes = counted(harness.services.state, [
        ...[
          'startRun',
          'acquireLease',
          'putStep',
          'countAttempt',
          'putPartition',
          'commit',
          'finishRun',
          'releaseLease',
        ],
      ])
      const services = { ...harness.services, staging: gets.proxy, state: writes.proxy }
      const calls: string[] = []
      let transitions = 0
      const steps: Record<string, (payload: never) => Promise<unknown>> = {
        DrayPlan: (payload) => plan(items, payload, services),
        Extract: (payload) => extract(items, payload, services),
        Transform: (payload) => transform(items, payload, services),
        Load: (payload) => load(items, payload, services),
        DrayCommit: (payload) => commit(items, payload, services),
        DrayFinish: (payload) => finish(payload, services),
      }

      const { definition, machines } = toStatesLanguage(workflow('w', { steps: [run(items)] }))
      const { status, cause } = await execute(
        definition,
        {},
        {
          machines,
          clock: realClock,
          executionName: `run-${partitionRows}`,
          onEvent: ({ type }) => {
            if (type === 'state-entered') transitions += 1
          },
          readItems: ({ key }) => readJsonArray(gets.proxy, key),
          executor: {
            async invoke(name, payload) {
              calls.push(name)
              return steps[name.replace(/^ItemsOf\d+/, '')]?.(payload as never)
            },
          },
        },
      )

      assert.equal(status, 'SUCCEEDED', cause)
      const expected = estimate({ rows: 1011, partitionRows })
      assert.equal(calls.filter((name) => name.endsWith('Load')).length, expected.partitions)
      assert.deepEqual(
        {
          lambdaRequests: calls.length,
          // Each execution of a Distributed Map is charged for its start as well.
          stateTransitions: transitions + (expected.distributed ? expected.partitions : 0),
          s3Puts: puts.count(),
          // Load may read what is staged twice; into SQLite it does so only where rows are refused.
          s3Gets: gets.count() + expected.partitions,
          dynamoDbWrites: writes.count(),
        },
        {
          lambdaRequests: expected.lambdaRequests,
          stateTransitions: expected.stateTransitions,
          s3Puts: expected.s3Puts,
          s3Gets: expected.s3Gets,
          dynamoDbWrites: expected.dynamoDbWrites,
        },
      )
    })
  }

  test('never has more partitions than a run may have, nor smaller ones than were asked for', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.integer({ min: 1, max: 10 ** 7 }), (rows, partitionRows) => {
        const { partitions, rowsPerPartition, distributed } = estimate({ rows, partitionRows })

        assert.ok(partitions >= 1 && partitions <= MOST_PARTITIONS)
        assert.ok(partitions * rowsPerPartition >= rows)
        assert.ok(partitionSize(rows, partitionRows) >= partitionRows)
        assert.equal(distributed, partitions > 500)
      }),
    )
  })

  test('never has more partitions at once than connections allow, and pays for none that would only wait', () => {
    const workload = { rows: 100_000_000 }

    const few = estimate({ ...workload, connections: 3 })
    const many = estimate({ ...workload, connections: 500 })
    const faster = estimate({ ...workload, connections: 500 }, { ...assumptions, sourceRate: 1e7, targetRate: 1e7 })

    assert.equal(few.concurrency, 2)
    assert.ok(many.seconds < few.seconds)
    assert.equal(many.concurrency, 6)
    assert.equal(faster.concurrency, 499)
    assert.ok(faster.seconds < many.seconds / 10)
  })

  test('lets Lambdas that wait for a database be paid for', () => {
    const enough = estimate({ rows: 10_000_000 })
    const tooMany = estimate({ rows: 10_000_000, concurrency: 60 })

    assert.ok(tooMany.lambdaSeconds > 9 * enough.lambdaSeconds)
    assert.ok(tooMany.seconds <= enough.seconds)
  })
})

describe('docs/scale.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/scale.md'), 'utf8')
  const faster = { ...assumptions, sourceRate: assumptions.sourceRate * 4, targetRate: assumptions.targetRate * 4 }

  for (const [name, lines] of [
    ['needs', needsOf(assumptions)],
    ['faster', needsOf(faster)],
    ['assumptions', assumed()],
  ] as const) {
    test(`has the table ${name} of the formulas`, () => {
      const [, written] = new RegExp(`((?:^\\|.*\\n)+)<!-- table: ${name} -->`, 'm').exec(page) ?? []

      assert.equal(written?.trim().split('\n').slice(2).join('\n'), lines.join('\n'))
    })
  }
})

function needsOf(given: Assumptions): string[] {
  const runs = [1e6, 1e7, 1e8, 1e9].map((rows) => estimate({ rows }, given))
  const line = (title: string, cell: (run: Estimate) => string) => `| ${[title, ...runs.map(cell)].join(' | ')} |`
  return [
    line('partitions', ({ partitions }) => whole(partitions)),
    line('rows of each', ({ rowsPerPartition }) => whole(rowsPerPartition)),
    line('Map', ({ distributed }) => (distributed ? 'distributed' : 'inline')),
    line('partitions at once', ({ concurrency }) => whole(concurrency)),
    line('time of a run', ({ seconds }) => duration(seconds)),
    line('of it the plan', ({ planSeconds }) => duration(planSeconds)),
    line('longest other call', ({ longestCallSeconds }) => `${longestCallSeconds.toFixed(1)} s`),
    line('Lambda-seconds', ({ lambdaSeconds }) => whole(lambdaSeconds)),
    line('state transitions', ({ stateTransitions }) => whole(stateTransitions)),
    line('S3 PUT / GET', ({ s3Puts, s3Gets }) => `${whole(s3Puts)} / ${whole(s3Gets)}`),
    line('staged', ({ stagedBytes }) => `${whole(stagedBytes / 1e9, 1)} GB`),
    line('DynamoDB writes', ({ dynamoDbWrites }) => whole(dynamoDbWrites)),
    line('**a run**', ({ runCost }) => `**${runCost.toFixed(3)} $**`),
    line('**a month, staging included**', ({ monthCost }) => `**${monthCost.toFixed(2)} $**`),
  ]
}

function assumed(): string[] {
  const { prices, ...rest } = assumptions
  return [
    `| rows a second of one Lambda | extract ${whole(rest.extractRate)}, transform ${whole(rest.transformRate)}, load ${whole(rest.loadRate)} |`,
    `| rows a second of a database | source ${whole(rest.sourceRate)}, target ${whole(rest.targetRate)} |`,
    `| keys a second that the source counts and cuts | ${whole(rest.planRate)} |`,
    `| start, connection and plan of each call | ${rest.callSeconds} s |`,
    `| plan, commit and finish | ${rest.controlSeconds} s |`,
    `| runs a month, days that staged objects are kept | ${rest.runsInMonth}, ${rest.retentionDays} |`,
    `| Lambda, ARM | ${prices.lambdaGigabyteSecond} $ a GB-second, ${dollars(prices.lambdaRequest * 1e6)} $ a million requests |`,
    `| Step Functions, Standard | ${dollars(prices.stateTransition * 1e6)} $ a million transitions |`,
    `| S3 | ${dollars(prices.s3Put * 1e6)} $ a million PUT, ${dollars(prices.s3Get * 1e6)} $ a million GET, ${prices.s3GigabyteMonth} $ a GB and month |`,
    `| DynamoDB, on demand | ${dollars(prices.dynamoDbWrite * 1e6)} $ a million writes |`,
    `| CloudWatch Logs | ${prices.logGigabyte} $ a GB |`,
    `| SQS | ${dollars(prices.sqsRequest * 1e6)} $ a million requests |`,
    `| a month of a key, a secret, a metric of an alarm, a dashboard, a custom metric | ${prices.keyMonth}, ${prices.secretMonth}, ${prices.alarmMetricMonth}, ${prices.dashboardMonth}, ${prices.metricMonth} $ |`,
    `| an interface endpoint | ${prices.endpointHour} $ an hour and zone |`,
  ]
}

function whole(value: number, digits = 0): string {
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}

function dollars(value: number): string {
  return String(Number(value.toPrecision(6)))
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}
