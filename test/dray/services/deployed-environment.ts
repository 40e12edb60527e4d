import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { secretVariable, TLS_BY_URL, tlsVariable } from 'dray/internal/database/database-url.ts'
import { readJsonArray } from 'dray/internal/staging/documents.ts'
import { S3StagingStore } from 'dray/internal/staging/s3-staging-store.ts'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { everyFunction, toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import { logGroupOf, workflowMachineName } from 'dray-infra/internal/aws/names.ts'
import { stackNameOf, stackOutputs } from 'dray-infra/internal/aws/stack-outputs.ts'
import { startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { createWorkers, type Workers } from 'dray-infra/internal/local/workers.ts'
import { execute, realClock } from 'dray-infra/internal/states-language/index.ts'
import { startFauxqs } from 'fauxqs'
import { fixtureFolder } from '#test/fixture-project.ts'
import { createStateTable } from '#test/services/create-state-table.ts'
import { AwsApi, type FakeExecution } from './aws-api.ts'

const REGION = 'eu-north-1'
const BUCKET = 'dray-dev-staging'
const TABLE = 'Dray-dev-State'
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }

/** What stands for an environment that is deployed. */
export interface DeployedTestEnvironment {
  readonly aws: AwsApi
  readonly state: TableStateStore
  readonly staging: S3StagingStore
  /** The variables of a command that is signed in there. */
  readonly variables: NodeJS.ProcessEnv
  /** Resolves when no execution runs any more, and what follows their ends has been done. */
  idle(): Promise<void>
  stop(): Promise<void>
}

/**
 * The environment `dev` of one workflow: state in dynalite, staging in S3 by fauxqs, secrets, the stack and executions
 * by `AwsApi`. An execution is run by the local interpreter over the real handlers, in threads, and the janitor is told
 * of its end. Sets the variables of the functions in this process: one for each test file.
 */
export async function startDeployedEnvironment(
  workflow: Workflow,
  urls: Readonly<Record<string, string>>,
): Promise<DeployedTestEnvironment> {
  const aws = new AwsApi()
  const [dynamo, storage, endpoint] = await Promise.all([
    startDynamoDb(),
    startFauxqs({ port: 0, host: '127.0.0.1', logger: false }),
    aws.start(),
  ])
  storage.createBucket(BUCKET)
  const { topicArn } = storage.createTopic('notifications', { region: REGION })
  const s3 = `http://127.0.0.1:${storage.port}`
  const machines = `arn:aws:states:${REGION}:123456789012:stateMachine`
  const machine = `${machines}:${workflowMachineName('dev', workflow.name)}`
  const endpoints = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: new URL(dynamo.endpoint).origin,
    AWS_ENDPOINT_URL_S3: s3,
    AWS_ENDPOINT_URL_SNS: s3,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: new URL(dynamo.endpoint).username,
    AWS_SECRET_ACCESS_KEY: 'test',
  }
  const secrets = Object.entries(urls).flatMap(([name, url]) => {
    const secret = `/dray/dev/${name}/url`
    aws.secrets.set(secret, url)
    return [
      [secretVariable(name), secret],
      [tlsVariable(name), TLS_BY_URL],
    ] as const
  })
  const ofFunctions = {
    ...Object.fromEntries(secrets),
    STATE_TABLE_NAME: TABLE,
    STAGING_URL: `s3://${BUCKET}`,
    WORKFLOW_NAME: workflow.name,
    STATE_MACHINE_ARN: machine,
    NOTIFICATION_TOPIC_ARN: topicArn,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1769',
  }
  Object.assign(process.env, endpoints, ofFunctions)
  const client = createStateClient({ endpoint: dynamo.endpoint })
  await createStateTable(client, TABLE)
  client.destroy()
  const state = createStateStore({ tableName: TABLE, endpoint: dynamo.endpoint })
  const staging = new S3StagingStore({
    bucket: BUCKET,
    client: new S3Client({ endpoint: s3, region: REGION, forcePathStyle: true, credentials }),
  })
  aws.definition = JSON.stringify(toStatesLanguage(workflow).definition).replace(
    /\$\{(\w+Machine)\}/g,
    (_, placeholder) => `${machines}:${placeholder}`,
  )
  aws.cloudFormation.stacks.set(stackNameOf('dev'), {
    status: 'UPDATE_COMPLETE',
    outputs: {
      [stackOutputs.stateTable]: TABLE,
      [stackOutputs.stagingBucket]: BUCKET,
    },
  })
  const workers = createWorkers({ size: 2, onLog: (line) => log(aws, workflow.name, line) })
  const working = new Set<Promise<void>>()
  aws.onStart = (execution, stopped) => {
    const work = runExecution(workflow, execution, stopped, { workers, staging }).finally(() => working.delete(work))
    working.add(work)
  }
  const idle = async () => {
    while (working.size > 0) await Promise.all(working)
  }
  return {
    aws,
    state,
    staging,
    // What only the functions know is not the command's.
    variables: { ...endpoints, ...Object.fromEntries(Object.keys(ofFunctions).map((name) => [name, undefined])) },
    idle,
    async stop() {
      await idle()
      await workers.close()
      state.close()
      await Promise.all([aws.stop(), storage.stop(), dynamo.stop()])
    },
  }
}

interface Running {
  readonly workers: Workers
  readonly staging: S3StagingStore
}

/** What Step Functions does with an execution, and EventBridge with its end. */
async function runExecution(
  workflow: Workflow,
  execution: FakeExecution,
  signal: AbortSignal,
  { workers, staging }: Running,
): Promise<void> {
  const compiled = toStatesLanguage(workflow)
  const files = new Map(everyFunction(compiled).map(({ placeholder, handler }) => [placeholder, handler]))
  const call = (handler: string, payload: unknown, timeoutSeconds: number, taskSignal?: AbortSignal) =>
    workers.invoke({
      file: join(fixtureFolder, handler),
      functionName: handler,
      payload,
      timeoutSeconds,
      signal: taskSignal,
    })
  const ended = await execute(compiled.definition, JSON.parse(execution.input), {
    machines: compiled.machines,
    executionName: execution.name,
    clock: realClock,
    signal,
    readItems: ({ key }) => readJsonArray(staging, key),
    executor: {
      invoke: (name, payload, { signal: taskSignal, timeoutSeconds }) =>
        call(files.get(name) ?? '', payload, timeoutSeconds, taskSignal),
    },
  })
  const { status, error = '', cause = '' } = ended
  Object.assign(execution, { status, stopDate: Date.now() / 1000 }, status === 'SUCCEEDED' ? {} : { error, cause })
  const { name, input, startDate } = execution
  const detail = {
    name,
    status,
    input,
    startDate: startDate * 1000,
    ...(status === 'SUCCEEDED' ? {} : { error, cause }),
  }
  await call('functions/dray/janitor.ts', { detail }, 60)
}

/** Into the log group of its function: those of a pipeline, of the workflow, or of all. */
function log(aws: AwsApi, workflow: string, line: string): void {
  const step = /"step":"([a-z]+)"/.exec(line)?.[1] ?? ''
  const pipeline = /"pipeline":"([a-z-]+)"/.exec(line)?.[1] ?? ''
  const isOwn = ['extract', 'transform', 'load'].includes(step)
  const shared = step === 'task' ? logGroupOf.workflow('dev', workflow) : logGroupOf.control('dev')
  const group = isOwn ? logGroupOf.pipeline('dev', pipeline) : shared
  aws.logEvents.push({ group, timestamp: Date.now(), message: `${line}\n` })
}
