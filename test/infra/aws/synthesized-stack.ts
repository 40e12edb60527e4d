import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { DrayStack } from '#infra/aws/dray-stack.ts'
import { databasesOfSteps } from '#infra/aws/step-databases.ts'
import { workflows } from '#infra/workflows/index.ts'

const project = resolve(import.meta.dirname, '../../..')

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON of a thousand shapes, and the tests say which they expect.
export type Resource = { readonly Type: string; readonly Properties: any; readonly [attribute: string]: any }

/** The template of the real stack, with the feature flags of cdk.json; the handlers are not bundled. */
export async function synthesizedStack() {
  const { context } = JSON.parse(await readFile(join(project, 'cdk.json'), 'utf8')) as { context: object }
  const app = new App({ context: { ...context, 'aws:cdk:bundling-stacks': [] }, analyticsReporting: false })
  const deployed = workflows.map(async (workflow) => ({ workflow, databases: await databasesOfSteps(workflow) }))
  const stack = new DrayStack(app, 'Dray-test', { environment: 'test', workflows: await Promise.all(deployed) })
  const resources = (Template.fromStack(stack).toJSON() as { Resources: Record<string, Resource> }).Resources
  return {
    resources,
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
  readonly actions: readonly string[]
  /** `*`, or the JSON of an intrinsic function. */
  readonly resources: readonly string[]
  readonly condition: unknown
}

/** Everything that the role with this logical id allows. */
export function statementsOf({ ofType }: SynthesizedStack, role?: string): Statement[] {
  return ofType('AWS::IAM::Policy')
    .filter(({ Properties }) => role === undefined || Properties.Roles.some(({ Ref }: { Ref: string }) => Ref === role))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .map(({ Action, Resource, Condition }) => ({
      actions: [Action].flat(),
      resources: [Resource].flat().map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
      condition: Condition,
    }))
}
