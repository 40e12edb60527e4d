import { App } from 'aws-cdk-lib'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { createStacks } from './create-stacks.ts'

// The only place that reads the environment: every stack, or the one of `-c environment=prod`.
const app = new App()
const only = app.node.tryGetContext('environment') as string | undefined
const { CDK_DEFAULT_ACCOUNT, CDK_DEFAULT_REGION } = process.env

try {
  await createStacks(app, await loadProject(), { only, account: CDK_DEFAULT_ACCOUNT, region: CDK_DEFAULT_REGION })
} catch (error) {
  if (!(error instanceof Error) || error.name !== 'Configuration') throw error
  process.stderr.write(`dray: ${error.message}\n`)
  // At an orderly end the app would be synthesized as far as it is made.
  process.exit(1)
}
