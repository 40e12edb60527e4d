import { type App, CfnResource, type Stack, Tags } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { allUnitsOf } from 'dray/internal/workflow/placeholders.ts'
import type { Environment } from '#dray-infra/project/environment.ts'
import { environmentNamed, environmentsOf } from '#dray-infra/project/environments.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import {
  type DeployedWorkflow,
  handlersOf,
  refuseUnknown,
  schemaHandlerOf,
  triggerHandlers,
} from './deployed-handlers.ts'
import { deployedWorkflows } from './deployed-workflows.ts'
import { DrayStack } from './dray-stack.ts'
import { type BundledHandler, bundleHandlers } from './handler-bundles.ts'
import { stacksOfPipelines } from './names.ts'
import { PipelinesStack } from './pipelines-stack.ts'
import { stackNameOf } from './stack-outputs.ts'
import { WorkflowsStack } from './workflows-stack.ts'

export interface StacksOptions {
  /** The name of the only environment wanted. */
  readonly only?: string | undefined
  /** Where the CLI is signed in, for environments that do not say where they are. */
  readonly account?: string | undefined
  readonly region?: string | undefined
}

/** Adds the stacks of each environment, with its handlers bundled. */
export async function createStacks(app: App, project: LoadedProject, options: StacksOptions): Promise<void> {
  const deployed = await deployedWorkflows(project)
  const built = new Map<string, ReturnType<typeof bundleHandlers>>()
  const environments = chosen(project, options.only)
  refuseUnknown(deployed, environments)
  for (const environment of environments) {
    const wanted = bundlesOf(deployed, environment)
    // Environments with the same engines have the same bundles.
    const bundles = await (built.get(JSON.stringify(wanted)) ?? bundleHandlers(wanted, project.folder))
    built.set(JSON.stringify(wanted), Promise.resolve(bundles))
    const { account = options.account, region = options.region } = environment
    createEnvironment(app, {
      environment,
      workflows: deployed,
      codeOf: (handler) => Code.fromAsset(bundles.get(handler) ?? handler),
      env: account && region ? { account, region } : null,
    })
  }
}

export interface EnvironmentStacksProps {
  readonly environment: Environment
  readonly workflows: readonly DeployedWorkflow[]
  /** The bundle of a handler, by its path. */
  readonly codeOf: (handler: string) => Code
  readonly env: { readonly account: string; readonly region: string } | null
}

/** The stacks of an environment, in the order in which they are deployed. */
export interface EnvironmentStacks {
  readonly shared: DrayStack
  readonly pipelines: readonly PipelinesStack[]
  readonly workflows: WorkflowsStack
}

/**
 * `Dray-<environment>` holds what is shared, `Dray-<environment>-pipelines` the pipelines (a second and a fourth stack
 * where there are hundreds), `Dray-<environment>-workflows` the workflows. Throws `Configuration`.
 */
export function createEnvironment(app: App, props: EnvironmentStacksProps): EnvironmentStacks {
  const { environment, workflows, codeOf, env } = props
  const name = stackNameOf(environment.name)
  const handlers = handlersOf(workflows, environment)
  const schema = schemaHandlerOf(workflows, environment)
  const given = { environment, codeOf, ...(env === null ? {} : { env }) }
  const description = 'Dray: ETL workflows on Step Functions and Lambda'
  const names = workflows.map(({ workflow }) => workflow.name)
  const units = allUnitsOf(workflows.map(({ workflow }) => workflow))
  const shared = new DrayStack(app, name, {
    ...given,
    workflows: names,
    functions: [...handlers.values(), schema],
    hasReplicas: units.some(({ kind }) => kind === 'replica'),
    description,
  })
  const stackOfPipeline = stacksOfPipelines(units.map((unit) => unit.name))
  const pipelines = [...Map.groupBy(units, (unit) => stackOfPipeline.get(unit.name) as number)]
    .toSorted(([one], [other]) => one - other)
    .map(([number, chosenUnits]) => {
      const id = number === 1 ? `${name}-pipelines` : `${name}-pipelines-${number}`
      return new PipelinesStack(app, id, { ...given, description, number, units: chosenUnits, handlers })
    })
  const last = new WorkflowsStack(app, `${name}-workflows`, {
    ...given,
    description,
    workflows: workflows.map(({ workflow }) => workflow),
    handlers,
    schema,
    stackOfPipeline,
  })
  for (const stack of pipelines) {
    stack.addStackDependency(shared, 'It has its roles, its table and its bucket.')
    last.addStackDependency(stack, 'Its state machines start those of pipelines.')
  }
  last.addStackDependency(shared, 'It has its roles, its table and its bucket.')
  for (const stack of [shared, ...pipelines, last]) {
    for (const [tag, value] of Object.entries(environment.tags)) Tags.of(stack).add(tag, value)
  }
  for (const stack of [shared, ...pipelines, last]) checkResources(stack, environment)
  return { shared, pipelines, workflows: last }
}

/** One operation of CloudFormation changes 2,500 resources at most, those of nested stacks among them. */
const MOST_RESOURCES = 2_000

function checkResources(stack: Stack, { name }: Environment): void {
  const resources = stack.node.findAll().filter((construct) => CfnResource.isCfnResource(construct)).length
  if (resources <= MOST_RESOURCES) return
  throw new ConfigurationError(
    `The environment ${name}: ${stack.stackName} would have ${resources} resources, and CloudFormation changes no more than 2,500 in one operation, so nothing was synthesized; divide the project in two, or put pipelines of several workflows into one.`,
  )
}

/** What an environment's functions are made of. */
export function bundlesOf(workflows: readonly DeployedWorkflow[], environment: Environment): readonly BundledHandler[] {
  const triggers = Object.values(triggerHandlers).map((handler) => ({ handler, engines: [] }))
  return [...handlersOf(workflows, environment).values(), schemaHandlerOf(workflows, environment), ...triggers]
}

function chosen(project: LoadedProject, only: string | undefined): readonly Environment[] {
  return only === undefined ? environmentsOf(project) : [environmentNamed(only, project)]
}
