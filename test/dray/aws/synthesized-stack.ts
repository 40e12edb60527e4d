import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { createEnvironment, type EnvironmentStacks } from 'dray-infra/internal/aws/create-stacks.ts'
import type { DeployedWorkflow } from 'dray-infra/internal/aws/deployed-handlers.ts'
import { deployedWorkflows } from 'dray-infra/internal/aws/deployed-workflows.ts'
import { type EnvironmentOptions, environmentOf } from 'dray-infra/internal/project/environment.ts'
import { fixtureFolder, fixtureProject } from '#test/fixture-project.ts'

const flags = join(fixtureFolder, 'cdk.json')

/** An environment of the daily update. */
export const testEnvironment: EnvironmentOptions = {
  databases: {
    shop: { engine: 'mysql', secret: '/dray/test/shop/url' },
    till: { engine: 'postgres', secret: '/dray/test/till/url' },
    lake: { engine: 'postgres', secret: '/dray/test/lake/url' },
  },
  expected: { nightly: { successWithin: '26h' } },
}

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON of a thousand shapes, and the tests say which they expect.
export type Resource = { readonly Type: string; readonly Properties: any; readonly [attribute: string]: any }

/** The real stacks in an app with the feature flags of cdk.json; the handlers are not bundled. */
export async function environmentStacks(
  options: Partial<EnvironmentOptions> = {},
  workflows?: readonly DeployedWorkflow[],
): Promise<EnvironmentStacks & { readonly app: App }> {
  const { context } = JSON.parse(await readFile(flags, 'utf8')) as { context: object }
  // Of the bundles, only where they are is looked at.
  const app = new App({ context: { ...context, 'aws:cdk:disable-asset-staging': true }, analyticsReporting: false })
  const stacks = createEnvironment(app, {
    environment: environmentOf('test', { ...testEnvironment, ...options }),
    workflows: workflows ?? (await deployedWorkflows(await fixtureProject())),
    codeOf: (handler) =>
      Code.fromAsset(join(fixtureFolder, workflows === undefined ? dirname(handler) : 'functions/dray')),
    env: null,
  })
  return { app, ...stacks }
}

export interface Template {
  readonly bytes: number
  readonly Resources: Record<string, Resource>
  readonly Outputs?: Record<string, { readonly Value: unknown }>
  readonly Parameters?: Record<string, unknown>
}

/** Every template of the real stacks, nested ones too, by the name of its file. */
export async function synthesizedTemplates(
  options: Partial<EnvironmentOptions> = {},
  workflows?: readonly DeployedWorkflow[],
): Promise<ReadonlyMap<string, Template>> {
  const { app } = await environmentStacks(options, workflows)
  const { directory } = app.synth()
  const files = readdirSync(directory).filter((file) => file.endsWith('.template.json'))
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(directory, file), 'utf8')
      return [file.replace(/\.template\.json$/, ''), { bytes: Buffer.byteLength(text), ...JSON.parse(text) }]
    }),
  )
}

/**
 * The resources of all templates by their logical ids, those of nested and later stacks with the template's name before
 * them: `Dray-test-pipelines/PlanFunction…`.
 */
export async function synthesizedStack(
  options: Partial<EnvironmentOptions> = {},
  workflows?: readonly DeployedWorkflow[],
) {
  const templates = await synthesizedTemplates(options, workflows)
  const resources: Record<string, Resource> = {}
  for (const [name, template] of templates) {
    for (const [id, resource] of Object.entries(template.Resources)) {
      resources[name === 'Dray-test' ? id : `${name}/${id}`] = resource
    }
  }
  return {
    templates,
    resources,
    outputs: templates.get('Dray-test')?.Outputs as Record<string, { readonly Value: unknown }>,
    ofType: (type: string) => Object.values(resources).filter((resource) => resource.Type === type),
    /** The Lambda of a handler, by its path. */
    lambda(handler: string): Resource {
      const found = Object.values(resources).find(
        ({ Type, Properties }) => Type === 'AWS::Lambda::Function' && Properties.Description === handler,
      )
      if (!found) throw new Error(`no Lambda runs ${handler}`)
      return found
    },
    stateMachine(name: string): Resource {
      const found = Object.values(resources).find(
        ({ Type, Properties }) => Type === 'AWS::StepFunctions::StateMachine' && Properties.StateMachineName === name,
      )
      if (!found) throw new Error(`there is no state machine ${name}`)
      return found
    },
    /** What a resource refers to in its own template, or, by a parameter of this, in the one that it is nested in. */
    versionBehind(id: string, reference: string): { readonly id: string; readonly resource: Resource } {
      const own = `${id.slice(0, id.lastIndexOf('/') + 1)}${reference}`
      if (resources[own]) return { id: own, resource: resources[own] }
      for (const [nesting, { Type, Properties }] of Object.entries(resources)) {
        if (Type !== 'AWS::CloudFormation::Stack') continue
        const behind = `${nesting.slice(0, nesting.lastIndexOf('/') + 1)}${Properties.Parameters?.[reference]?.Ref}`
        if (resources[behind]) return { id: behind, resource: resources[behind] }
      }
      throw new Error(`nothing is behind ${reference}`)
    },
    /** The logical id of the role of a Lambda or a state machine. */
    roleOf(resource: Resource): string {
      const role = JSON.stringify(resource.Properties.Role ?? resource.Properties.RoleArn)
      const [id] = Object.entries(resources).find(([, one]) => one === resource) ?? ['']
      const own = /"Fn::GetAtt":\["(\w+)"/.exec(role)?.[1]
      if (own !== undefined) return [...id.split('/').slice(0, -1), own].join('/')
      const name = /:role\/(Dray-test_[\w-]+_)"/.exec(role)?.[1]
      const [shared] = Object.entries(resources).find(
        ([, { Type, Properties }]) =>
          Type === 'AWS::IAM::Role' && JSON.stringify(Properties.RoleName ?? '').includes(`"${name}"`),
      ) ?? ['']
      if (shared === '') throw new Error(`there is no role ${name ?? role}`)
      return shared
    },
  }
}

export type SynthesizedStack = Awaited<ReturnType<typeof synthesizedStack>>

interface Statement {
  readonly effect: 'Allow' | 'Deny'
  readonly actions: readonly string[]
  /** `*`, or the JSON of an intrinsic function. */
  readonly resources: readonly string[]
  readonly condition: unknown
}

/**
 * Everything that the role with this logical id allows or denies; without one all roles and the policies for people.
 */
export function statementsOf({ resources }: SynthesizedStack, role?: string): Statement[] {
  return Object.entries(resources)
    .filter(([id, { Type, Properties }]) => {
      if (Type === 'AWS::IAM::ManagedPolicy') return role === undefined
      const place = id.split('/').slice(0, -1)
      const names = () => Properties.Roles.map(({ Ref }: { Ref: string }) => [...place, Ref].join('/'))
      return Type === 'AWS::IAM::Policy' && (role === undefined || names().includes(role))
    })
    .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement)
    .map(({ Effect, Action, Resource, Condition }) => ({
      effect: Effect,
      actions: [Action].flat(),
      resources: [Resource].flat().map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
      condition: Condition,
    }))
}
