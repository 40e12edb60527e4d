import { type App, Tags } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import type { Environment } from '#dray-infra/project/environment.ts'
import { environmentNamed, environmentsOf } from '#dray-infra/project/environments.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { type DeployedWorkflow, handlersOf, triggerHandlers } from './deployed-handlers.ts'
import { deployedWorkflows } from './deployed-workflows.ts'
import { DrayStack } from './dray-stack.ts'
import { type BundledHandler, bundleHandlers } from './handler-bundles.ts'
import { stackNameOf } from './stack-outputs.ts'

export interface StacksOptions {
  /** The name of the only environment wanted. */
  readonly only?: string | undefined
  /** Where the CLI is signed in, for environments that do not say where they are. */
  readonly account?: string | undefined
  readonly region?: string | undefined
}

/** Adds the stack of each environment, `Dray-<environment>`, with its handlers bundled. */
export async function createStacks(app: App, project: LoadedProject, options: StacksOptions): Promise<void> {
  const deployed = await deployedWorkflows(project)
  const built = new Map<string, ReturnType<typeof bundleHandlers>>()
  for (const environment of chosen(project, options.only)) {
    const wanted = bundlesOf(deployed, environment)
    // Environments with the same engines have the same bundles.
    const bundles = await (built.get(JSON.stringify(wanted)) ?? bundleHandlers(wanted, project.folder))
    built.set(JSON.stringify(wanted), Promise.resolve(bundles))
    const { account = options.account, region = options.region } = environment
    const stack = new DrayStack(app, stackNameOf(environment.name), {
      environment,
      description: 'Dray: ETL workflows on Step Functions and Lambda',
      workflows: deployed,
      codeOf: (handler) => Code.fromAsset(bundles.get(handler) ?? handler),
      ...(account && region ? { env: { account, region } } : {}),
    })
    for (const [tag, value] of Object.entries(environment.tags)) Tags.of(stack).add(tag, value)
  }
}

/** What an environment's functions are made of. */
export function bundlesOf(workflows: readonly DeployedWorkflow[], environment: Environment): readonly BundledHandler[] {
  const triggers = Object.values(triggerHandlers).map((handler) => ({ handler, engines: [] }))
  return [...handlersOf(workflows, environment).values(), ...triggers]
}

function chosen(project: LoadedProject, only: string | undefined): readonly Environment[] {
  return only === undefined ? environmentsOf(project) : [environmentNamed(only, project)]
}
