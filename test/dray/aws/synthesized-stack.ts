import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { deployedWorkflows } from 'dray-infra/internal/aws/deployed-workflows.ts'
import { DrayStack } from 'dray-infra/internal/aws/dray-stack.ts'
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

/** The real stack in an app with the feature flags of cdk.json; the handlers are not bundled. */
export async function drayStack(options: Partial<EnvironmentOptions> = {}): Promise<DrayStack> {
  const { context } = JSON.parse(await readFile(flags, 'utf8')) as { context: object }
  return new DrayStack(new App({ context, analyticsReporting: false }), 'Dray-test', {
    environment: environmentOf('test', { ...testEnvironment, ...options }),
    workflows: await deployedWorkflows(await fixtureProject()),
    codeOf: (handler) => Code.fromAsset(join(fixtureFolder, dirname(handler))),
  })
}

/** The template of the real stack. */
export async function synthesizedStack(options: Partial<EnvironmentOptions> = {}) {
  const stack = await drayStack(options)
  const template = Template.fromStack(stack).toJSON()
  const resources = template.Resources as Record<string, Resource>
  return {
    resources,
    outputs: template.Outputs as Record<string, { readonly Value: unknown }>,
    ofType: (type: string) => Object.values(resources).filter((resource) => resource.Type === type),
    /** The Lambda of a handler, by its path. */
    lambda(handler: string): Resource {
      const found = Object.values(resources).find(
        ({ Type, Properties }) => Type === 'AWS::Lambda::Function' && Properties.Description === handler,
      )
      if (!found) throw new Error(`no Lambda runs ${handler}`)
      return found
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
export function statementsOf({ ofType }: SynthesizedStack, role?: string): Statement[] {
  const ofPeople = role === undefined ? ofType('AWS::IAM::ManagedPolicy') : []
  return [...ofType('AWS::IAM::Policy'), ...ofPeople]
    .filter(({ Properties }) => role === undefined || Properties.Roles.some(({ Ref }: { Ref: string }) => Ref === role))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .map(({ Effect, Action, Resource, Condition }) => ({
      effect: Effect,
      actions: [Action].flat(),
      resources: [Resource].flat().map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
      condition: Condition,
    }))
}
