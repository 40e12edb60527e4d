import { DeleteTableCommand, waitUntilTableNotExists } from '@aws-sdk/client-dynamodb'
import type { Context } from 'aws-lambda'
import { DynamoDbItemTable } from 'dray/internal/state/dynamodb-item-table.ts'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { TableWorkflowSlots } from 'dray/internal/state/table-workflow-slots.ts'
import { type LocalDynamoDb, startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { type FauxqsServer, interceptLocalhostDns, startFauxqs } from 'fauxqs'
import { AwsApi } from '#test/services/aws-api.ts'
import { createStateTable } from '#test/services/create-state-table.ts'

export const WORKFLOW = 'daily'
const REGION = 'eu-north-1'
export const MACHINES = 'arn:aws:states:eu-north-1:123456789012:stateMachine'
export const pipelines = ['customers', 'orders'] as const

type Start = typeof import('#test/fixture/functions/dray/start.ts').handler
type Janitor = typeof import('#test/fixture/functions/dray/janitor.ts').handler
type Finish = typeof import('#test/fixture/functions/dray/finish.ts').handler

/** The real handlers of triggers, over dynalite, SQS and SNS by fauxqs, and a server that speaks Step Functions. */
export interface Triggers {
  readonly aws: AwsApi
  readonly queues: FauxqsServer
  readonly state: TableStateStore
  readonly slots: TableWorkflowSlots
  readonly start: Start
  readonly janitor: Janitor
  readonly finish: Finish
  /** Forgets everything. */
  reset(): Promise<void>
  /** The dead letters, each with the reason beside it. */
  deadLetters(): readonly { readonly body: string; readonly reason: string | undefined }[]
  /** What was told to the people behind the topic. */
  notifications(): readonly {
    readonly Subject: string
    readonly Message: string
    readonly MessageAttributes: { readonly notice: { readonly Value: string } }
  }[]
  stop(): Promise<void>
}

/** Binds the handlers to local services by the environment, as the stack does on AWS. One for each test file. */
export async function startTriggers(): Promise<Triggers> {
  const aws = new AwsApi()
  aws.definition = JSON.stringify(pipelines.map((step) => ({ step, machine: `${MACHINES}:${step}` })))
  const dynamo: LocalDynamoDb = await startDynamoDb()
  // The URL of a queue is at a subdomain, which not every system resolves.
  const restoreDns = interceptLocalhostDns()
  const queues = await startFauxqs({ port: 0, host: 'localhost', logger: false })
  const { queueUrl } = queues.createQueue('dead-letters', { region: REGION })
  const { topicArn } = queues.createTopic('notifications', { region: REGION })
  queues.createQueue('inbox', { region: REGION })
  queues.subscribe({ topic: 'notifications', queue: 'inbox', region: REGION })
  const endpoint = await aws.start()
  const local = `http://127.0.0.1:${queues.port}`
  Object.assign(process.env, {
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_SFN: endpoint,
    AWS_ENDPOINT_URL_EVENTBRIDGE: endpoint,
    AWS_ENDPOINT_URL_SQS: local,
    AWS_ENDPOINT_URL_SNS: local,
    STATE_ENDPOINT: dynamo.endpoint,
    STATE_TABLE_NAME: 'state',
    STAGING_URL: 'file:///tmp/unused',
    WORKFLOW_NAME: WORKFLOW,
    STATE_MACHINE_ARN: 'arn:aws:states:eu-north-1:123456789012:stateMachine:daily',
    DEAD_LETTERS_URL: queueUrl,
    NOTIFICATION_TOPIC_ARN: topicArn,
    EVENT_BUS_NAME: 'default',
    DRAY_ENVIRONMENT: 'test',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
  })
  const client = createStateClient({ endpoint: dynamo.endpoint })
  await createStateTable(client, 'state')
  const state = createStateStore()
  const [{ handler: start }, { handler: janitor }, { handler: finish }] = await Promise.all([
    import('#test/fixture/functions/dray/start.ts'),
    import('#test/fixture/functions/dray/janitor.ts'),
    import('#test/fixture/functions/dray/finish.ts'),
  ])
  return {
    aws,
    queues,
    state,
    slots: new TableWorkflowSlots(DynamoDbItemTable.of(client, 'state')),
    start,
    janitor,
    finish,
    async reset() {
      aws.executions.clear()
      aws.stopped.length = 0
      aws.events.length = 0
      aws.faults.length = 0
      queues.reset()
      await client.send(new DeleteTableCommand({ TableName: 'state' }))
      // Until it is gone, the next one would be taken for it.
      await waitUntilTableNotExists({ client, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.2 }, { TableName: 'state' })
      await createStateTable(client, 'state')
    },
    deadLetters: () =>
      messagesOf(queues, 'dead-letters').map(({ body, messageAttributes }) => ({
        body,
        reason: messageAttributes?.reason?.StringValue,
      })),
    notifications: () => messagesOf(queues, 'inbox').map(({ body }) => JSON.parse(body)),
    async stop() {
      client.destroy()
      state.close()
      await Promise.all([aws.stop(), queues.stop(), dynamo.stop()])
      restoreDns()
    },
  }
}

function messagesOf(queues: FauxqsServer, queue: string) {
  return queues.inspectQueue(queue)?.messages.ready ?? []
}

export const context = {
  awsRequestId: 'request',
  functionName: 'start',
  getRemainingTimeInMillis: () => 60_000,
} as unknown as Context

let messages = 0

/** A batch of the queue, each body as EventBridge or the Scheduler would write it. */
export function batchOf(...bodies: readonly (object | string)[]) {
  return {
    Records: bodies.map((body) => ({
      messageId: `message-${++messages}`,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })),
  }
}

/** An `EntityUpdated` of orders. */
export function updated(id: string, detail: object = {}) {
  return {
    source: 'upstream.orders',
    'detail-type': 'EntityUpdated',
    detail: { version: 1, id, entity: 'orders', source: 'shop', keys: [id], ...detail },
  }
}

export function tick(at: string) {
  return { trigger: 'schedule', id: at }
}

/** A run that the state table has. */
export async function recordRun({ state }: Pick<Triggers, 'state'>, id: string, workflow: string): Promise<void> {
  await state.startRun({ id, workflow, startTime: Date.now(), runner: 'stepfunctions', trigger: 'schedule' })
}

/** What EventBridge tells of an execution that has ended. */
export function ended(name: string, status: 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED', more: object = {}) {
  return { detail: { name, status, startDate: Date.now() - 60_000, input: '{"trigger":"schedule"}', ...more } }
}
