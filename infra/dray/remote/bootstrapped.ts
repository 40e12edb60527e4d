import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'

/** Whether the account has what the CDK needs there, under the name that the CDK gives it. */
export async function isBootstrapped(): Promise<boolean> {
  const client = new CloudFormationClient()
  try {
    const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: 'CDKToolkit' }))
    return /^(CREATE|UPDATE)_COMPLETE$/.test(Stacks[0]?.StackStatus ?? '')
  } catch {
    return false
  } finally {
    client.destroy()
  }
}
