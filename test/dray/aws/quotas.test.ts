import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { assumptions, estimate } from 'dray/internal/pipeline/plan/capacity.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import type { DeployedWorkflow } from 'dray-infra/internal/aws/deployed-handlers.ts'
import { HOURS_OF_MONTH, monthlyCost, totalOf } from 'dray-infra/internal/aws/monthly-cost.ts'
import { pipelineNamed, taskNamed } from '#test/workflow/units.ts'
import { type Resource, synthesizedTemplates, type Template } from './synthesized-stack.ts'

/*
 * AWS refuses a deployment that is over a quota, when it is under way; the CDK warns of some. Here 80 % of each fails.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 * https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
 */
const ROOM = 0.8
const quotas = {
  templateBytes: 1_000_000,
  resources: 500,
  /** Of a stack with those that are nested in it: an operation changes no more than 2,500. */
  resourcesInAll: 2_500,
  parameters: 200,
  outputs: 200,
  /** Characters without spaces, of all inline policies of a role. */
  inlinePolicies: 10_240,
  managedPolicy: 6_144,
  functionVariables: 4_096,
  definition: 1_048_576,
  /** Of a graph of a dashboard. */
  metricsOfGraph: 500,
  /** An account's. */
  roles: 1_000,
} as const

const page = new URL('../../../docs/scale.md', import.meta.url)

interface Environment {
  readonly title: string
  readonly workflows: readonly Workflow[]
}

/** Each with a task behind its pipelines, as the example has it. */
function workflowsOf(count: number, pipelines: number): Workflow[] {
  return Array.from({ length: count }, (_, index) => {
    const names = Array.from({ length: pipelines / count }, (_, number) => `load-of-table-${index}-${number}`)
    const steps = names.map((name) => pipelineNamed(name))
    const mart = taskNamed(`update-mart-${index}`)
    return workflow(`update-${index}`, { steps: [...steps.map((step) => run(step)), run(mart, { after: steps })] })
  })
}

const environments: readonly Environment[] = [
  { title: '3 in one workflow', workflows: workflowsOf(1, 3) },
  { title: '20 in one', workflows: workflowsOf(1, 20) },
  { title: '50 in 5', workflows: workflowsOf(5, 50) },
  { title: '200 in 20', workflows: workflowsOf(20, 200) },
  { title: '300 in one', workflows: workflowsOf(1, 300) },
  {
    title: 'a replica, whatever its tables',
    workflows: [workflow('nightly', { steps: [run({ kind: 'replica', name: 'sales-raw' })] })],
  },
]

function deployed(given: Workflow): DeployedWorkflow {
  const databases = given.steps.map(
    ({ name }) => [name, { sources: ['shop'], targets: ['lake'], declared: [] }] as const,
  )
  return { workflow: given, databases: new Map(databases) }
}

type Templates = ReadonlyMap<string, Template>

async function templatesOf(workflows: readonly Workflow[]): Promise<Templates> {
  const expected = Object.fromEntries(workflows.map(({ name }) => [name, { successWithin: '26h' }]))
  return synthesizedTemplates({ expected, account: '123456789012', region: 'ap-southeast-1' }, workflows.map(deployed))
}

const resourcesOf = (templates: Templates): Resource[] =>
  [...templates.values()].flatMap(({ Resources }) => Object.values(Resources))

/** A text with intrinsic functions, about as long as when they are worked out. */
function lengthOf(value: unknown): number {
  return JSON.stringify(value)
    .replace(/\{"Ref":"AWS::Partition"\}/g, 'aws')
    .replace(/\{"Ref":"AWS::AccountId"\}/g, '123456789012')
    .replace(/\{"Ref":"AWS::Region"\}/g, 'ap-southeast-1')
    .replace(/\{"(?:Ref|Fn::ImportValue)":"[^"]+"\}|\{"Fn::GetAtt":\[[^\]]+\]\}/g, 'x'.repeat(64))
    .replace(/\{"Fn::Join":\["",\[|\]\]\}|","/g, '').length
}

/** The resources of a top-level stack and of those that are nested in it, by its name. */
function inAll(templates: Templates): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const [name, { Resources }] of templates) {
    const top = name.endsWith('.nested') ? topOf(name, templates) : name
    counts.set(top, (counts.get(top) ?? 0) + Object.keys(Resources).length)
  }
  return counts
}

/** `DraytestpipelinesPipelinesOrdersE85044AE.nested` lies in `Dray-test-pipelines`. */
function topOf(nested: string, templates: Templates): string {
  const tops = [...templates.keys()].filter((name) => !name.endsWith('.nested'))
  const fitting = tops.filter((name) => nested.startsWith(name.replaceAll('-', '')))
  return fitting.sort((one, other) => other.length - one.length)[0] ?? nested
}

interface Sizes {
  readonly templateBytes: number
  readonly resources: number
  readonly resourcesInAll: number
  readonly parameters: number
  readonly outputs: number
  readonly inlinePolicies: number
  readonly managedPolicy: number
  readonly functionVariables: number
  readonly definition: number
  readonly metricsOfGraph: number
  readonly roles: number
}

/** The greatest of each, of a whole environment. */
function sizesOf(templates: Templates): Sizes {
  const all = [...templates.values()]
  const ofType = (type: string) => resourcesOf(templates).filter((resource) => resource.Type === type)
  const most = (numbers: readonly number[]) => Math.max(0, ...numbers)
  const policies = Map.groupBy(
    all.flatMap(({ Resources }, index) =>
      Object.values(Resources)
        .filter(({ Type }) => Type === 'AWS::IAM::Policy')
        .flatMap(({ Properties }) =>
          Properties.Roles.map(({ Ref }: { Ref: string }) => ({
            role: `${index} ${Ref}`,
            length: lengthOf(Properties.PolicyDocument),
          })),
        ),
    ),
    ({ role }) => role,
  )
  return {
    templateBytes: most(all.map(({ bytes }) => bytes)),
    resources: most(all.map(({ Resources }) => Object.keys(Resources).length)),
    resourcesInAll: most([...inAll(templates).values()]),
    parameters: most(all.map(({ Parameters = {} }) => Object.keys(Parameters).length)),
    outputs: most(all.map(({ Outputs = {} }) => Object.keys(Outputs).length)),
    inlinePolicies: most([...policies.values()].map((ones) => ones.reduce((sum, { length }) => sum + length, 0))),
    managedPolicy: most(ofType('AWS::IAM::ManagedPolicy').map(({ Properties }) => lengthOf(Properties.PolicyDocument))),
    functionVariables: most(
      ofType('AWS::Lambda::Function').map(({ Properties }) => lengthOf(Properties.Environment.Variables)),
    ),
    definition: most(ofType('AWS::StepFunctions::StateMachine').map(definitionLength)),
    metricsOfGraph: most(ofType('AWS::CloudWatch::Dashboard').flatMap(metricsOfGraphs)),
    roles: ofType('AWS::IAM::Role').length,
  }
}

/** In bytes, with ARNs for its placeholders. */
function definitionLength({ Properties }: Resource): number {
  const arns = Properties.DefinitionSubstitutions as Record<string, unknown>
  const text = (Properties.DefinitionString as string).replace(/\$\{(\w+)\}/g, (_, name) =>
    'x'.repeat(Math.max(64, lengthOf(arns[name]))),
  )
  return Buffer.byteLength(text)
}

/** Of each graph; tokens of a dashboard's body are worked out by CloudFormation. */
function metricsOfGraphs({ Properties }: Resource): number[] {
  const body = JSON.stringify(Properties.DashboardBody)
  return body.split('\\"type\\":\\"metric\\"').map((graph) => (graph.match(/\\"label\\"/g) ?? []).length)
}

describe('the templates of an environment', () => {
  const rows: string[] = []
  const costs: string[] = []
  for (const { title, workflows } of environments) {
    test(`stay below 80 % of every quota with pipelines: ${title}`, async () => {
      const templates = await templatesOf(workflows)

      const sizes = sizesOf(templates)

      for (const [what, quota] of Object.entries(quotas)) {
        const size = sizes[what as keyof Sizes]
        assert.ok(size <= ROOM * quota, `${what}: ${size}, and AWS takes ${quota}`)
        assert.ok(size > 0, `nothing was measured of ${what}`)
      }
      const resources = resourcesOf(templates).length
      const top = [...templates.keys()].filter((name) => !name.endsWith('.nested')).length
      const dollars = costsOf(templates, workflows).map((cost) => `${cost.toFixed(0)} $`)
      // A run of a replica costs by its tables.
      const isOfReplica = workflows.some(({ steps }) => steps.some(({ kind }) => kind === 'replica'))
      if (!isOfReplica) costs.push(`| ${[title, ...dollars].join(' | ')} |`)
      rows.push(
        `| ${[title, top, templates.size - top, resources, sizes.resourcesInAll, kilobytes(sizes.templateBytes), sizes.resources, kilobytes(sizes.definition), kilobytes(sizes.inlinePolicies), sizes.roles].join(' | ')} |`,
      )
    })
  }

  test('are as large as docs/scale.md says, and cost as much while nothing runs', async () => {
    const text = await readFile(page, 'utf8')
    const current = withTable(withTable(text, 'pipelines', rows), 'idle', costs)
    if (process.env.UPDATE_DOCS === '1') await writeFile(page, current)
    else assert.equal(text, current, 'run this test with UPDATE_DOCS=1 and look at what has changed')
  })

  test('are refused where there are more workflows than a stack may hold', async () => {
    await assert.rejects(templatesOf(workflowsOf(90, 90)), {
      name: 'Configuration',
      message: /Dray-test-workflows would have \d+ resources/,
    })
  })

  test('name nothing by more characters than AWS takes, and nothing twice', async () => {
    const long = 'a-pipeline-whose-name-is-as-long-as-it-may-be-so'
    const steps = [`${long}-1`, `${long}-2`].map((name) => run(pipelineNamed(name)))
    const given = workflow(`${long}-w`, { steps })

    const templates = await templatesOf([given])

    const names = resourcesOf(templates)
      .flatMap(({ Type, Properties = {} }) => [
        { name: Type === 'AWS::Lambda::Function' ? Properties.FunctionName : undefined, longest: 64 },
        { name: Properties.RoleName, longest: 64 },
        { name: Properties.StateMachineName, longest: 80 },
      ])
      .filter(({ name }) => name !== undefined)
    for (const { name, longest } of names) assert.ok(lengthOf(name) <= longest + '""'.length, JSON.stringify(name))
    const written = names.map(({ name }) => JSON.stringify(name))
    assert.equal(new Set(written).size, written.length)
  })
})

function withTable(text: string, name: string, lines: readonly string[]): string {
  const table = new RegExp(`(\\|[-| ]+\\n)(?:\\|.*\\n)*(<!-- table: ${name} -->)`)
  return text.replace(table, (_, head, end) => `${head}${lines.join('\n')}\n${end}`)
}

/** US dollars a month while nothing runs, and where each workflow runs once a day and finds few rows. */
function costsOf(templates: Templates, workflows: readonly Workflow[]): readonly number[] {
  const idle = totalOf(monthlyCost(templates.values()))
  const pipelines = workflows.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'pipeline')).length
  // Of rows by workflow and by pipeline, and of what a run has cost, each in the hour in which it runs.
  const metricHours = 4 * workflows.length + 3 * pipelines
  const day =
    pipelines * estimate({ rows: 1 }).runCost + (metricHours * assumptions.prices.metricMonth) / HOURS_OF_MONTH
  return [idle, idle + 30 * day]
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)
}
