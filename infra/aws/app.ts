import { App } from 'aws-cdk-lib'
import { workflows } from '#infra/workflows/index.ts'
import { DrayStack } from './dray-stack.ts'
import { databasesOfSteps } from './step-databases.ts'

// The only place that reads the environment: `cdk deploy -c environment=prod`, in the account that the CLI is signed in to.
const app = new App()
const environment = String(app.node.tryGetContext('environment') ?? 'dev')
const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env

new DrayStack(app, `Dray-${environment}`, {
  environment,
  description: 'Dray: ETL workflows on Step Functions and Lambda',
  workflows: await Promise.all(
    workflows.map(async (workflow) => ({ workflow, databases: await databasesOfSteps(workflow) })),
  ),
  ...(account && region ? { env: { account, region } } : {}),
})
