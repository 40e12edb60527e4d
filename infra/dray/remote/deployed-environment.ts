import type { CloudFormationClient, Stack } from '@aws-sdk/client-cloudformation'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Reach } from '#dray-infra/aws/handler-access.ts'
import { pipelineMachineName, workflowMachineName } from '#dray-infra/aws/names.ts'
import { stackNameOf, stackOutputs } from '#dray-infra/aws/stack-outputs.ts'
import type { Environment } from '#dray-infra/project/environment.ts'

/** Where the parts of an environment are, as its stack says. */
export interface DeployedEnvironment {
  readonly settings: Environment
  readonly stack: string
  readonly stateTable: string
  readonly stagingUrl: string
  /** The security groups of its functions; null where these stand in no network. */
  readonly groups: Readonly<Record<Reach, string | null>>
  /** The ARN of a workflow's state machine, which is there once the workflow has been deployed. */
  machineOf(workflow: string): string
  /** That of a pipeline, which is in the stack of pipelines with this number. */
  machineOfPipeline(pipeline: string, stack: number): string
}

/** Asks CloudFormation where an environment is. Throws `Configuration`, or the error of the SDK. */
export async function findEnvironment(
  settings: Environment,
  client: CloudFormationClient,
): Promise<DeployedEnvironment> {
  const { DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation')
  const stack = stackNameOf(settings.name)
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stack }))
  const found = Stacks[0] ?? {}
  checkAccount(settings, found as Stack)
  const outputs = new Map((found as Stack).Outputs?.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]))
  const output = (key: string): string => {
    const value = outputs.get(key)
    if (value) return value
    throw new ConfigurationError(
      `The stack ${stack} (${(found as Stack).StackStatus}) has no output ${key}, so ${settings.name} cannot be worked with: it was deployed by an older version, or not to its end; \`npx dray deploy ${settings.name}\` brings it up to date.`,
    )
  }
  return {
    settings,
    stack,
    stateTable: output(stackOutputs.stateTable),
    stagingUrl: `s3://${output(stackOutputs.stagingBucket)}`,
    groups: {
      databases: outputs.get(stackOutputs.databasesGroup) ?? null,
      staging: outputs.get(stackOutputs.stagingGroup) ?? null,
    },
    machineOf: (workflow) => machineArn(found as Stack, workflowMachineName(settings.name, workflow)),
    machineOfPipeline: (pipeline, number) =>
      machineArn(found as Stack, pipelineMachineName(settings.name, pipeline, number)),
  }
}

/** In the account and region of a stack. */
function machineArn({ StackId = '' }: Stack, name: string): string {
  const [, partition, , region, account] = StackId.split(':')
  return `arn:${partition}:states:${region}:${account}:stateMachine:${name}`
}

/** `arn:aws:cloudformation:<region>:<account>:stack/…` */
function checkAccount({ name, account }: Environment, { StackId = '' }: Stack): void {
  const signedIn = StackId.split(':')[4]
  if (account === undefined || signedIn === account) return
  throw new ConfigurationError(
    `The environment ${name} is in the account ${account}, and the credentials are of ${signedIn}, so nothing was done; sign in to ${account}, or set AWS_PROFILE.`,
  )
}
