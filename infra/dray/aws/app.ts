import { App } from 'aws-cdk-lib'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { createStacks } from './create-stacks.ts'

// The only place that reads the environment: every stack, or the one of `-c environment=prod`.
const app = new App()
const only = app.node.tryGetContext('environment') as string | undefined
const { CDK_DEFAULT_ACCOUNT, CDK_DEFAULT_REGION } = process.env

await createStacks(app, await loadProject(), { only, account: CDK_DEFAULT_ACCOUNT, region: CDK_DEFAULT_REGION })
