import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import validate from 'asl-validator'
import { AwsSolutionsChecks } from 'cdk-nag'
import { database } from 'dray'
import { replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { allUnitsOf } from 'dray/internal/workflow/placeholders.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { machinesOfUnit } from 'dray/internal/workflow/unit-machines.ts'
import { run, workflow } from 'dray/workflow'
import { bundlesOf } from 'dray-infra/internal/aws/create-stacks.ts'
import type { DeployedWorkflow } from 'dray-infra/internal/aws/deployed-handlers.ts'
import { deployedWorkflows } from 'dray-infra/internal/aws/deployed-workflows.ts'
import { bundleHandlers } from 'dray-infra/internal/aws/handler-bundles.ts'
import { HOURS_OF_MONTH, monthlyCost } from 'dray-infra/internal/aws/monthly-cost.ts'
import { databasesOfSteps } from 'dray-infra/internal/aws/step-databases.ts'
import { environmentNamed } from 'dray-infra/internal/project/environments.ts'
import { loadProject } from 'dray-infra/internal/project/load-project.ts'
import { pipelineNamed, taskNamed } from '#test/workflow/units.ts'
import { features } from './grants/synthesized-features.ts'
import { environmentStacks, type SynthesizedStack, statementsOf, synthesizedStack } from './synthesized-stack.ts'

/* A workflow with a replica, a table of it as a step, a pipeline behind all of them, and a task behind the table. */

const salesRaw = replicate('sales-raw', { from: database('shop'), into: database('lake') })
const orders = salesRaw.table('orders')
const rates = pipelineNamed('rates')
const nightly = workflow('nightly', {
  steps: [
    run(salesRaw),
    run(orders),
    run(rates, { after: [salesRaw, orders] }),
    run(taskNamed('mart'), { after: [orders] }),
  ],
})
const ofRates = {
  extract: { source: { database: { name: 'till' } } },
  load: { target: { database: { name: 'lake' } } },
}

async function deployed(): Promise<DeployedWorkflow[]> {
  const findUnit = async (name: string) => (name === 'sales-raw' ? salesRaw : ofRates) as never
  return [{ workflow: nightly, databases: await databasesOfSteps(nightly, { findUnit }) }]
}

describe('a replica on AWS', () => {
  let stack: SynthesizedStack
  before(async () => {
    stack = await synthesizedStack({}, await deployed())
  })
  const compiled = new Map([
    ['Dray-test_nightly_workflow', toStatesLanguage(nightly).definition],
    ...allUnitsOf([nightly])
      .flatMap(machinesOfUnit)
      .map(([, { name, definition }]) => [`Dray-test_${name.replace('/*', '_table')}_pipeline`, definition] as const),
  ])
  const substitutionsOf = (machine: string) =>
    stack.stateMachine(machine).Properties.DefinitionSubstitutions as Record<string, object>
  const allowedTo = (role: string) =>
    statementsOf(stack, role).flatMap(({ effect, actions }) => (effect === 'Allow' ? actions : []))

  test('has a machine for all of its tables and one for each, beside those of the pipeline and the workflow', () => {
    const machines = stack.ofType('AWS::StepFunctions::StateMachine').map(({ Properties }) => Properties)

    assert.deepEqual(machines.map(({ StateMachineName }) => StateMachineName).sort(), [
      'Dray-test_nightly_workflow',
      'Dray-test_rates_pipeline',
      'Dray-test_sales-raw_pipeline',
      'Dray-test_sales-raw_table_pipeline',
    ])
    for (const { StateMachineName: name, DefinitionString: definition } of machines) {
      assert.equal(definition, JSON.stringify(compiled.get(name)))
    }
  })

  test('is given what each definition names, and nothing else', () => {
    for (const { Properties } of stack.ofType('AWS::StepFunctions::StateMachine')) {
      const { DefinitionString: text, DefinitionSubstitutions: given, StateMachineName: name } = Properties
      const named = new Set([...(text as string).matchAll(/\$\{(\w+)\}/g)].map(([, placeholder]) => placeholder))

      assert.deepEqual(Object.keys(given).sort(), [...named].sort(), name)
      const filled = (text as string).replace(/\$\{\w+\}/g, 'arn:aws:lambda:eu-north-1:123456789012:function:f')
      const result = validate(JSON.parse(filled))
      assert.ok(result.isValid, result.errorsText())
    }
  })

  test('starts the machine of its tables, which the workflow starts for the table that is a step', () => {
    const table = /:stateMachine:Dray-test_sales-raw_table_pipeline"/

    assert.match(JSON.stringify(substitutionsOf('Dray-test_sales-raw_pipeline').SalesRawTableMachine), table)
    const ofWorkflow = substitutionsOf('Dray-test_nightly_workflow')
    assert.match(JSON.stringify(ofWorkflow.SalesRawTableMachine), table)
    assert.match(JSON.stringify(ofWorkflow.SalesRawMachine), /:stateMachine:Dray-test_sales-raw_pipeline"/)
  })

  test('has three functions, however many tables there are', () => {
    const own = stack.ofType('AWS::Lambda::Function').flatMap(({ Properties: { Description } }) => Description)

    assert.deepEqual(own.filter((handler) => handler.includes('/sales-raw/')).sort(), [
      'functions/sales-raw/extract.ts',
      'functions/sales-raw/load.ts',
      'functions/sales-raw/transform.ts',
    ])
  })

  test('is waited for by a role that may make the rule by which the service tells of an end', async () => {
    const role = (of: SynthesizedStack) => of.roleOf(of.stateMachine('Dray-test_rates_pipeline'))
    const without = workflow('nightly', { steps: [run(rates)] })
    const databases = await databasesOfSteps(without, { findUnit: async () => ofRates as never })
    const plain = await synthesizedStack({}, [{ workflow: without, databases }])
    const rules = (of: SynthesizedStack) =>
      statementsOf(of, role(of)).filter(({ actions }) => actions.includes('events:PutRule'))

    assert.equal(rules(stack).length, 1)
    assert.match(JSON.stringify(rules(stack)), /StepFunctionsGetEventsForStepFunctionsExecutionRule/)
    assert.deepEqual(rules(plain), [])
  })

  test('has its tables found by a function that reads both databases, and summed by one that reads neither', () => {
    const secretsOf = (stage: string) =>
      Object.keys(stack.lambda(`functions/dray/${stage}.ts`).Properties.Environment.Variables).filter((name) =>
        /_DATABASE_URL/.test(name),
      )

    assert.deepEqual(secretsOf('tables').sort(), secretsOf('plan').sort())
    assert.deepEqual(secretsOf('gather'), [])
  })

  test('has no last_run moved by these two functions, which take and give back leases', () => {
    for (const stage of ['tables', 'gather']) {
      const role = stack.roleOf(stack.lambda(`functions/dray/${stage}.ts`))

      assert.ok(allowedTo(role).includes('dynamodb:UpdateItem'))
      const denied = statementsOf(stack, role).filter(({ effect }) => effect === 'Deny')
      assert.deepEqual(
        denied.map(({ condition }) => condition),
        [{ 'ForAnyValue:StringEquals': { 'dynamodb:Attributes': ['last_run'] } }],
      )
    }
  })

  test('is one line of each graph, and costs the metric of its freshness', () => {
    const [dashboard] = stack.ofType('AWS::CloudWatch::Dashboard')
    const body = JSON.stringify(dashboard?.Properties.DashboardBody)
    const lines = (metric: string) =>
      [...body.matchAll(new RegExp(`\\\\"${metric}\\\\",.*?\\\\"label\\\\":\\\\"(.*?)\\\\"`, 'g'))].map(
        ([, label]) => label,
      )

    assert.deepEqual(lines('RowsRead'), ['sales-raw', 'rates'])
    assert.deepEqual(lines('FreshnessSeconds'), ['sales-raw', 'rates'])
    const { metrics, janitors } = monthlyCost(stack.templates.values())
    assert.equal(metrics.count, 4)
    assert.equal(janitors.count, 8760 + Math.round(HOURS_OF_MONTH / 24))
  })

  test('is bundled with the drivers of both databases where its tables are found, and with none where they are summed', async () => {
    const project = await loadProject(features)
    const folder = await mkdtemp(join(tmpdir(), 'dray-replica-'))
    const all = bundlesOf(await deployedWorkflows(project), environmentNamed('dev', project))
    const wanted = ['functions/dray/tables.ts', 'functions/dray/gather.ts', 'functions/copied/transform.ts']

    const bundles = await bundleHandlers(
      all.filter(({ handler }) => wanted.includes(handler)),
      features,
      folder,
    )

    const hasDriver = wanted.map((handler) => {
      const place = bundles.get(handler) as string
      const maps = readdirSync(place).filter((file) => file.endsWith('.map'))
      return maps.some((file) => readFileSync(join(place, file), 'utf8').includes('/node_modules/pg/'))
    })
    await rm(folder, { recursive: true })
    assert.deepEqual(hasDriver, [true, false, false])
  })

  test('gives cdk-nag nothing to find that has no reason given', async () => {
    const { app } = await environmentStacks({}, await deployed())

    const { violations } = new AwsSolutionsChecks(app, { verbose: true }).validateScope(app)

    assert.deepEqual(
      violations.map(({ ruleName, violatingResources }) => [ruleName, violatingResources]),
      [],
    )
  })
})
