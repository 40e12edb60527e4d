import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { deployedWorkflows } from '#infra/aws/deployed-workflows.ts'
import { DrayStack } from '#infra/aws/dray-stack.ts'
import { type EnvironmentOptions, environmentOf } from '#infra/aws/environment.ts'

const project = resolve(import.meta.dirname, '../../..')

/** An environment of the daily update. */
export const testEnvironment: EnvironmentOptions = {
  databases: {
    crm: { engine: 'mysql', secret: '/dray/test/crm/url' },
    sales: { engine: 'postgres', secret: '/dray/test/sales/url' },
    warehouse: { engine: 'postgres', secret: '/dray/test/warehouse/url' },
  },
  expected: { 'daily-data-warehouse-update': { successWithin: '26h' } },
}

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON of a thousand shapes, and the tests say which they expect.
export type Resource = { readonly Type: string; readonly Properties: any; readonly [attribute: string]: any }

/** The real stack in an app with the feature flags of cdk.json; the handlers are not bundled. */
export async function drayStack(options: Partial<EnvironmentOptions> = {}): Promise<DrayStack> {
  const { context } = JSON.parse(await readFile(join(project, 'cdk.json'), 'utf8')) as { context: object }
  return new DrayStack(new App({ context, analyticsReporting: false }), 'Dray-test', {
    environment: environmentOf('test', { ...testEnvironment, ...options }),
    workflows: await deployedWorkflows(),
    codeOf: (handler) => Code.fromAsset(join(project, dirname(handler))),
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

/** Everything that the role with this logical id allows or denies; without one all roles and the policies for people. */
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
