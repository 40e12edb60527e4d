import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { createEnvironment } from 'dray-infra/internal/aws/create-stacks.ts'
import { deployedWorkflows } from 'dray-infra/internal/aws/deployed-workflows.ts'
import { environmentNamed } from 'dray-infra/internal/project/environments.ts'
import { loadProject } from 'dray-infra/internal/project/load-project.ts'
import { ACCOUNT, type Deployment, REGION, readDeployment } from './deployment.ts'

/** The project that the calls are recorded of. */
export const features: string = join(import.meta.dirname, '../../cloud/features')

/** What its environment grants; its handlers are not bundled. */
export async function synthesizedFeatures(): Promise<Deployment> {
  const project = await loadProject(features)
  const app = new App({ context: { 'aws:cdk:disable-asset-staging': true }, analyticsReporting: false })
  createEnvironment(app, {
    environment: environmentNamed('dev', project),
    workflows: await deployedWorkflows(project),
    codeOf: () => Code.fromAsset(join(features, 'functions/dray')),
    env: { account: ACCOUNT, region: REGION },
  })
  return readDeployment(app.synth().directory)
}
