import { CloudFormationClient, paginateListStackResources } from '@aws-sdk/client-cloudformation'
import { stackNameOf } from '#dray-infra/aws/stack-outputs.ts'

/** Of the types that a destroyed environment leaves behind, the table, buckets and the key, in words. */
const KEPT: Readonly<Record<string, KeptResource['type']>> = {
  'AWS::DynamoDB::GlobalTable': 'the table',
  'AWS::S3::Bucket': 'the bucket',
  'AWS::KMS::Key': 'the key',
}

export interface KeptResource {
  readonly type: 'the table' | 'the bucket' | 'the key'
  readonly id: string
}

/** What outlives the stacks of an environment; nothing where there is none, or who asks may not see it. */
export async function keptResources(environment: string): Promise<readonly KeptResource[]> {
  const client = new CloudFormationClient()
  const kept: KeptResource[] = []
  try {
    const pages = paginateListStackResources({ client }, { StackName: stackNameOf(environment) })
    for await (const { StackResourceSummaries = [] } of pages) {
      for (const { ResourceType = '', PhysicalResourceId: id } of StackResourceSummaries) {
        const type = KEPT[ResourceType]
        if (type !== undefined && id !== undefined) kept.push({ type, id })
      }
    }
  } catch {
    return []
  } finally {
    client.destroy()
  }
  return kept
}
