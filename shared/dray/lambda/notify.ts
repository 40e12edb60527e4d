import { createHmac } from 'node:crypto'
import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import { ConfigurationError } from '#dray/errors.ts'
import { type Notice, type PublishedBatch, publishedBatch } from '#dray/messages/notice.ts'
import { type Delivery, deliver } from './deliver.ts'
import type { Handler } from './handler.ts'
import { publishedNotice } from './published-notice.ts'
import { slackMessage } from './slack-message.ts'
import { withInput } from './with-input.ts'
import { withLogging } from './with-logging.ts'
import { withNamedErrors } from './with-named-errors.ts'

export interface NotifyOutput {
  /** How many messages were sent on. */
  readonly sent: number
}

const logger = new Logger({ serviceName: 'dray' })

/** The Lambda that sends what is published on the topic to Slack, or to a webhook, by `NOTIFY_BY`. */
export function notifyHandler(): Handler<PublishedBatch, NotifyOutput> {
  return middy()
    .use(withLogging(logger, 'notify'))
    .use(withNamedErrors())
    .use(withInput('notify', publishedBatch))
    .handler((event) => notify(event as PublishedBatch)) as unknown as Handler<PublishedBatch, NotifyOutput>
}

/** Of a function that is warm; a receiver that refuses it may have got another. */
let secret: string | null = null

async function notify({ Records }: PublishedBatch): Promise<NotifyOutput> {
  let sent = 0
  for (const { Sns } of Records) {
    const found = publishedNotice(Sns, process.env.DRAY_ENVIRONMENT ?? '')
    if (found === null) continue
    try {
      await deliver(process.env.NOTIFY_BY === 'slack' ? await toSlack(found) : await toWebhook(found))
      sent += 1
    } catch (error) {
      secret = null
      throw error
    }
  }
  return { sent }
}

async function toSlack(found: Notice): Promise<Delivery> {
  const url = urlOf(await secretOf('the URL of the incoming webhook of Slack'))
  return { to: 'Slack', url, headers: {}, body: JSON.stringify(slackMessage(found)) }
}

async function toWebhook(found: Notice): Promise<Delivery> {
  const url = urlOf(process.env.NOTIFY_URL ?? '')
  const body = JSON.stringify(found)
  const headers = process.env.NOTIFY_SECRET_ARN ? signed(body, await secretOf('the secret of the webhook')) : {}
  return { to: 'The webhook', url, headers, body }
}

/** The secret itself, or what shows who has it: HMAC-SHA-256 of `<timestamp>.<body>`. */
function signed(body: string, key: string): Record<string, string> {
  if (process.env.NOTIFY_SIGN === 'bearer') return { authorization: `Bearer ${key}` }
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex')
  return { 'x-dray-timestamp': timestamp, 'x-dray-signature': `sha256=${signature}` }
}

async function secretOf(what: string): Promise<string> {
  const { readSecret } = await import('./read-secret.ts')
  const arn = process.env.NOTIFY_SECRET_ARN ?? ''
  secret ??= await readSecret(arn, what)
  if (secret !== null) return secret
  throw new ConfigurationError(`The secret ${arn} is empty, so nobody was told; write ${what} into it.`)
}

/** Over TLS, but for a receiver on the machine itself. Says nothing of a URL that is none: it may be a secret. */
function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && url.hostname === '127.0.0.1')) return url
  throw new ConfigurationError(
    'What is to be a URL that begins with https:// is none, so nobody was told; look at the secret, or the url, that notify of infra/environments.ts names.',
  )
}
