import type { Environment } from '#dray-infra/project/environment.ts'
import { explained } from './refusals.ts'

/**
 * Throws `Configuration` when there are no credentials or no region to work on an environment with; makes no call
 * itself.
 */
export async function checkSignedIn({ name, region }: Environment): Promise<void> {
  if (region !== undefined) process.env.AWS_REGION = region
  const { CloudFormationClient } = await import('@aws-sdk/client-cloudformation')
  const client = new CloudFormationClient()
  try {
    await client.config.region()
    await client.config.credentials()
  } catch (error) {
    throw explained(error, name)
  } finally {
    client.destroy()
  }
}
