import { Logger } from '@aws-lambda-powertools/logger'
import type { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { type QueuedBatch, queuedBatch } from '#dray/messages/events.ts'
import type { RunRequest } from '#dray/messages/run-input.ts'
import { refuseCircle, requestOf } from '#dray/triggers/events.ts'
import { knownCauses } from '#dray/triggers/known-causes.ts'
import { requestRun } from '#dray/triggers/request-run.ts'
import { emitMetrics } from './emit-metrics.ts'
import type { Handler } from './handler.ts'
import { withInput } from './with-input.ts'
import { withLogging } from './with-logging.ts'
import { withNamedErrors } from './with-named-errors.ts'
import { type TriggerContext, withTriggerServices } from './with-trigger-services.ts'

type QueuedMessage = QueuedBatch['Records'][number]

/** Messages to be delivered again. */
export interface BatchResponse {
  readonly batchItemFailures: { readonly itemIdentifier: string }[]
}

interface BadMessage {
  readonly message: QueuedMessage
  readonly reason: string
}

const logger = new Logger({ serviceName: 'dray' })

/** The Lambda that makes one run of all the events that came close together. */
export function startHandler(): Handler<QueuedBatch, BatchResponse> {
  return middy()
    .use(withLogging(logger, 'start'))
    .use(withNamedErrors())
    .use(withInput('start', queuedBatch))
    .use(withTriggerServices())
    .handler((event, context) =>
      start(event as QueuedBatch, context as unknown as TriggerContext),
    ) as unknown as Handler<QueuedBatch, BatchResponse>
}

interface GoodMessage {
  readonly message: QueuedMessage
  readonly request: RunRequest
}

async function start({ Records }: QueuedBatch, { workflow, services }: TriggerContext): Promise<BatchResponse> {
  const bad: BadMessage[] = []
  const read = Records.flatMap((message) => attempt(message, bad, () => requestOf(message.body)))
  const known = await knownCauses(
    read.flatMap(({ request }) => request.causation),
    services.state,
  )
  const good = read.flatMap(({ message, request }) =>
    attempt(message, bad, () => {
      const trusted = { ...request, causation: request.causation.filter(known) }
      refuseCircle(trusted, workflow.name)
      return trusted
    }),
  )
  if (good.length > 0) {
    // Whatever fails here brings all messages back: nothing has been done with the bad ones yet.
    const outcome = await requestRun(
      workflow,
      good.map(({ request }) => request),
      services,
    )
    logger.info(outcome.kind, { ...outcome, workflow: workflow.name, events: good.length })
  }
  const failures = await Promise.all(bad.map((message) => putAside(message, workflow.name)))
  return { batchItemFailures: failures.flat() }
}

/** What a message asks for; one that is at fault is noted as bad. */
function attempt(message: QueuedMessage, bad: BadMessage[], read: () => RunRequest): GoodMessage[] {
  try {
    return [{ message, request: read() }]
  } catch (error) {
    bad.push({ message, reason: (error as Error).message })
    return []
  }
}

const MOST_CHARACTERS = 2_000
/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
const NOT_IN_SQS = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu

/** The reason as SQS takes it: it quotes the sender, who may have written anything. */
function attributeOf(reason: string): string {
  return reason.replace(NOT_IN_SQS, '\ufffd').slice(0, MOST_CHARACTERS).toWellFormed()
}

let client: SQSClient | null = null

/** A bad event is as bad the next time: it goes to the dead letters at once, with the reason beside it. */
async function putAside(
  { message, reason }: BadMessage,
  workflow: string,
): Promise<BatchResponse['batchItemFailures']> {
  logger.error('bad event', { workflow, message_id: message.messageId, reason })
  emitMetrics({ workflow }, { BadEvents: 1 })
  try {
    const { SendMessageCommand, SQSClient } = await import('@aws-sdk/client-sqs')
    client ??= new SQSClient()
    await client.send(
      new SendMessageCommand({
        QueueUrl: process.env.DEAD_LETTERS_URL,
        MessageBody: message.body,
        MessageAttributes: {
          reason: { DataType: 'String', StringValue: attributeOf(reason) },
          message: { DataType: 'String', StringValue: message.messageId },
        },
      }),
    )
    return []
  } catch (error) {
    logger.error('bad event not put aside', {
      workflow,
      message_id: message.messageId,
      error_message: (error as Error).message,
    })
    return [{ itemIdentifier: message.messageId }]
  }
}
