import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { before, describe, test } from 'node:test'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import {
  HOURS_OF_MONTH,
  type MonthlyCost,
  monthlyCost,
  type StandingPart,
  totalOf,
  unitPrices,
} from 'dray-infra/internal/aws/monthly-cost.ts'
import type { EnvironmentOptions } from 'dray-infra/internal/project/environment.ts'
import { pipelineNamed, taskNamed } from '#test/workflow/units.ts'
import { synthesizedTemplates } from './synthesized-stack.ts'

const page = new URL('../../../docs/deploy.md', import.meta.url)

/** Of an environment with this many pipelines in each workflow, two databases, a task in each. */
async function costOf(pipelines: number, workflows = 1, options: Partial<EnvironmentOptions> = {}) {
  const given = Array.from({ length: workflows }, (_, number) => {
    const steps = Array.from({ length: pipelines }, (_, index) => pipelineNamed(`p-${number}-${index}`))
    return workflow(`w-${number}`, {
      steps: [...steps.map((step) => run(step)), run(taskNamed(`mart-${number}`), { after: steps })],
    })
  })
  const deployed = given.map((one) => ({
    workflow: one,
    databases: new Map(
      one.steps.map(({ name }) => [name, { sources: ['shop'], targets: ['lake'], declared: [] }] as const),
    ),
  }))
  const expected = Object.fromEntries(given.map(({ name }) => [name, { successWithin: '26h' }]))
  const databases = {
    shop: { engine: 'mysql', secret: '/dray/test/shop/url' },
    lake: { engine: 'postgres', secret: '/dray/test/lake/url' },
  } as const
  const templates = await synthesizedTemplates({ expected, databases, ...options }, deployed)
  return monthlyCost(templates.values())
}

describe('what an environment costs while nothing runs', () => {
  let two: MonthlyCost
  before(async () => {
    two = await costOf(2)
  })
  const countsOf = (cost: MonthlyCost) =>
    Object.fromEntries(Object.entries(cost).map(([part, { count }]) => [part, count]))

  test('is counted by what its templates have, nested ones too', () => {
    assert.deepEqual(countsOf(two), {
      keys: 1,
      secrets: 2,
      // Five of the workflow, one of which looks at three metrics, and one of the environment.
      alarms: 8,
      dashboards: 1,
      // How long ago the last success was; how late the workflow is, and each pipeline.
      metrics: 4,
      // Every five minutes the workflow's, once a day the one that deletes versions.
      janitors: 8760 + Math.round(HOURS_OF_MONTH / 24),
      polling: 1,
      endpoints: 0,
    })
  })

  test('grows by its dashboard, alarms, metrics, janitor and polling with a workflow, by a metric with a pipeline', async () => {
    const three = await costOf(3)
    const twice = await costOf(2, 2)

    const added = (cost: MonthlyCost) =>
      Object.entries(countsOf(cost)).flatMap(([part, count]) => {
        const more = count - two[part as StandingPart].count
        return more === 0 ? [] : [[part, more]]
      })
    assert.deepEqual(added(three), [['metrics', 1]])
    assert.deepEqual(added(twice), [
      ['alarms', 7],
      ['dashboards', 1],
      ['metrics', 4],
      ['janitors', 8760],
      ['polling', 1],
    ])
  })

  test('has the endpoint of a network once for each of its zones', async () => {
    const subnets = [1, 2].map((zone) => ({
      id: `subnet-0000000${zone}`,
      availabilityZone: `eu-north-1${zone === 1 ? 'a' : 'b'}`,
      routeTable: `rtb-0000000${zone}`,
    }))

    const { endpoints } = await costOf(2, 1, { vpc: { id: 'vpc-00000001', subnets } })

    assert.equal(endpoints.count, 2)
  })

  test('is nothing where nothing stands', () => {
    assert.equal(totalOf(monthlyCost([])), 0)
    assert.equal(totalOf(monthlyCost([{ Resources: { Topic: { Type: 'AWS::SNS::Topic' } } }])), 0)
  })

  test('is what the table of docs/deploy.md says', async () => {
    const text = await readFile(page, 'utf8')
    const [, head = '', tail = ''] =
      /^([\s\S]*\| what \| how it is counted \| a month \|\n\|[-| ]+\n)[\s\S]*?(<!-- table: idle -->[\s\S]*)$/.exec(
        text,
      ) ?? []
    const current = `${head}${rowsOf(two).join('\n')}\n${tail}`

    if (process.env.UPDATE_DOCS === '1') await writeFile(page, current)
    else assert.equal(text, current, 'run this test with UPDATE_DOCS=1 and look at what has changed')
  })
})

function rowsOf(cost: MonthlyCost): string[] {
  const unit = unitPrices()
  const dollars = (value: number) => value.toFixed(2)
  const month = (part: StandingPart) => dollars(cost[part].usDollars)
  const idle = totalOf(cost)
  const daily = 30 * metricHours(2) * (unit.metrics / HOURS_OF_MONTH)
  return [
    `| key | 1 | ${month('keys')} |`,
    `| secrets | ${dollars(unit.secrets)} each, two databases | ${month('secrets')} |`,
    `| alarms | ${dollars(unit.alarms)} a metric, 6 alarms of ${cost.alarms.count} metrics | ${month('alarms')} |`,
    `| dashboard | ${dollars(unit.dashboards)} each, the first three of an account free | 0–${month('dashboards')} |`,
    `| metrics of the janitor | ${dollars(unit.metrics)} each: two of the workflow, the freshness of each incremental pipeline | ${month('metrics')} |`,
    `| other metrics | the same, by the hours in which they get values: ${metricHours(2)} in the hour of a daily run | ${dollars(daily)} |`,
    `| janitor | 8,760 calls of 0.3 s at 1,769 MB a workflow, and their logs | ${month('janitors')} |`,
    `| polling of the queue of starts | 5 long polls of 20 s at once, 0.4 $ a million | ${month('polling')} |`,
    '| state table, queues, bus, topic | on demand, kilobytes | < 0.10 |',
    `| **idle** | | **about ${(idle - cost.dashboards.usDollars).toFixed(0)}–${(idle + daily).toFixed(0)}** |`,
    `| Secrets Manager's endpoint, only in a network with secrets | ${unit.endpoints.toFixed(0)} a zone, and 0.01 a GB | ${(2 * unit.endpoints).toFixed(0)} for two zones |`,
  ]
}

/** Metrics that one run writes: rows by workflow and by pipeline, and what it has cost. */
function metricHours(pipelines: number): number {
  return 3 + 3 * pipelines + 1
}
