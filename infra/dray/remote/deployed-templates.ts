import { CloudFormationClient, GetTemplateCommand, paginateListStackResources } from '@aws-sdk/client-cloudformation'
import type { CostedTemplate } from '#dray-infra/aws/monthly-cost.ts'

/** Stacks that are nested in one are read so many at once. */
const AT_ONCE = 4

/** The templates of these stacks as they are deployed, nested ones too; none of a stack that is not there. */
export async function deployedTemplates(stacks: readonly string[]): Promise<readonly CostedTemplate[]> {
  const client = new CloudFormationClient({ maxAttempts: 6, retryMode: 'adaptive' })
  try {
    const templates: CostedTemplate[] = []
    for (let left = [...stacks]; left.length > 0; ) {
      const found = await Promise.all(left.splice(0, AT_ONCE).map((stack) => withNested(client, stack)))
      for (const one of found) {
        if (one === null) continue
        templates.push(one.template)
        left = [...left, ...one.nested]
      }
    }
    return templates
  } finally {
    client.destroy()
  }
}

async function withNested(
  client: CloudFormationClient,
  stack: string,
): Promise<{ readonly template: CostedTemplate; readonly nested: readonly string[] } | null> {
  try {
    const { TemplateBody = '{}' } = await client.send(new GetTemplateCommand({ StackName: stack }))
    const template: CostedTemplate = JSON.parse(TemplateBody)
    const nests = Object.values(template.Resources ?? {}).some(({ Type }) => Type === 'AWS::CloudFormation::Stack')
    return { template, nested: nests ? await nestedIn(client, stack) : [] }
  } catch (error) {
    if (error instanceof Error && error.name === 'ValidationError' && /does not exist/.test(error.message)) return null
    throw error
  }
}

async function nestedIn(client: CloudFormationClient, stack: string): Promise<readonly string[]> {
  const nested: string[] = []
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName: stack })) {
    for (const { ResourceType, PhysicalResourceId: id } of StackResourceSummaries) {
      if (ResourceType === 'AWS::CloudFormation::Stack' && id !== undefined) nested.push(id)
    }
  }
  return nested
}
