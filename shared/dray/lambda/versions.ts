import { Logger } from '@aws-lambda-powertools/logger'
import { DeleteFunctionCommand, LambdaClient, paginateListVersionsByFunction } from '@aws-sdk/client-lambda'
import {
  DescribeStateMachineCommand,
  DescribeStateMachineForExecutionCommand,
  ExecutionDoesNotExist,
  paginateListExecutions,
  paginateListStateMachines,
  SFNClient,
  StateMachineDoesNotExist,
} from '@aws-sdk/client-sfn'
import middy from '@middy/core'
import { ConfigurationError } from '#dray/errors.ts'
import { unusedVersions, versionsIn } from '#dray/triggers/unused-versions.ts'
import type { Handler } from './handler.ts'
import { withLogging } from './with-logging.ts'
import { withNamedErrors } from './with-named-errors.ts'

export interface VersionsOutput {
  /** How many versions of functions were deleted. */
  readonly deleted: number
}

const logger = new Logger({ serviceName: 'dray' })

/** The API of Step Functions bears few calls a second, and this has a quarter of an hour. */
const patient = { maxAttempts: 10, retryMode: 'adaptive' } as const

/**
 * The Lambda that deletes versions of an environment's functions that nothing runs any more: an account has 75 GB for
 * the code of all.
 */
export function versionsHandler(): Handler<object, VersionsOutput> {
  return middy()
    .use(withLogging(logger, 'versions'))
    .use(withNamedErrors())
    .handler(() => deleteUnused()) as unknown as Handler<object, VersionsOutput>
}

async function deleteUnused(): Promise<VersionsOutput> {
  const states = new SFNClient(patient)
  const functions = new LambdaClient(patient)
  try {
    // Asked first: a version that is published later is younger than any that is deleted.
    const now = Date.now()
    const named = versionsIn(await definitionsOf(namesBeginWith(), states))
    let deleted = 0
    for (const [name, numbers] of named) {
      for (const version of unusedVersions(await publishedOf(name, functions), numbers, now)) {
        await functions.send(new DeleteFunctionCommand({ FunctionName: name, Qualifier: String(version) }))
        deleted += 1
      }
    }
    logger.info('Versions of functions that nothing runs were deleted.', { deleted })
    return { deleted }
  } finally {
    states.destroy()
    functions.destroy()
  }
}

/** The definitions that the environment works by: of its machines, and of executions that began with another. */
async function definitionsOf(prefix: string, client: SFNClient): Promise<string[]> {
  const definitions: string[] = []
  for await (const { stateMachines = [] } of paginateListStateMachines({ client }, {})) {
    for (const { name = '', stateMachineArn = '' } of stateMachines) {
      if (name.startsWith(prefix)) definitions.push(...(await definitionsOfMachine(stateMachineArn, client)))
    }
  }
  return definitions
}

async function definitionsOfMachine(stateMachineArn: string, client: SFNClient): Promise<string[]> {
  try {
    const { definition = '' } = await client.send(new DescribeStateMachineCommand({ stateMachineArn }))
    const definitions = [definition]
    const running = { stateMachineArn, statusFilter: 'RUNNING' } as const
    for await (const { executions = [] } of paginateListExecutions({ client }, running)) {
      for (const { executionArn } of executions)
        definitions.push(await definitionOfExecution(executionArn ?? '', client))
    }
    return definitions
  } catch (error) {
    // It has been taken away in between.
    if (error instanceof StateMachineDoesNotExist) return []
    throw error
  }
}

async function definitionOfExecution(executionArn: string, client: SFNClient): Promise<string> {
  try {
    const asked = new DescribeStateMachineForExecutionCommand({ executionArn })
    return (await client.send(asked)).definition ?? ''
  } catch (error) {
    if (error instanceof ExecutionDoesNotExist) return ''
    throw error
  }
}

async function publishedOf(name: string, client: LambdaClient) {
  const published: { number: number; publishedAt: number }[] = []
  for await (const { Versions = [] } of paginateListVersionsByFunction({ client }, { FunctionName: name })) {
    for (const { Version = '', LastModified = '' } of Versions) {
      const number = Number(Version)
      if (Number.isInteger(number)) published.push({ number, publishedAt: Date.parse(LastModified) })
    }
  }
  return published
}

function namesBeginWith(): string {
  const prefix = process.env.NAMES_BEGIN_WITH
  if (prefix) return prefix
  throw new ConfigurationError(
    'NAMES_BEGIN_WITH is not set, so no version of a function was deleted; the stack sets it: deploy it',
  )
}
