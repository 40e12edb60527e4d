import { ConfigurationError, TransientError } from '#dray/errors.ts'

/** A document on its way; nothing of the URL or of the headers is ever said: they hold secrets. */
export interface Delivery {
  /** What a person calls the receiver. */
  readonly to: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Patience {
  /** Of one try, in ms. */
  readonly timeout: number
  /** Before the second try, in ms; twice as long before the third. */
  readonly pause: number
}

const patience: Patience = { timeout: 5_000, pause: 1_000 }
const TRIES = 3
/** A receiver that is asked too often says how long to wait, in s. */
const LONGEST_PAUSE_MS = 10_000

/**
 * Sends a document by POST, up to three times. Throws `Configuration` where the receiver refuses it, `Transient` where
 * it was not reached or failed itself.
 */
export async function deliver(delivery: Delivery, { timeout, pause }: Patience = patience): Promise<void> {
  let why = ''
  for (let tries = 1; tries <= TRIES; tries++) {
    const answer = await post(delivery, timeout)
    if ('status' in answer && answer.status >= 200 && answer.status < 300) return
    if ('status' in answer && answer.status < 500 && answer.status !== 429) throw refused(delivery.to, answer.status)
    why = 'status' in answer ? `it answered ${answer.status}` : answer.fault
    const wanted = 'status' in answer ? answer.retryAfter * 1000 : 0
    const before = Math.min(Math.max(wanted, pause * 2 ** (tries - 1)), LONGEST_PAUSE_MS)
    if (tries < TRIES) await new Promise((resolve) => setTimeout(resolve, before))
  }
  throw new TransientError(
    `${delivery.to} did not take the message: ${why}. It is tried again, and then is in the dead letters: docs/operations.md, "Lost ends".`,
  )
}

type Answer = { readonly status: number; readonly retryAfter: number } | { readonly fault: string }

/** Reads the head of the answer alone, and follows no redirection: a secret goes where it was meant to go. */
async function post({ url, headers, body }: Delivery, timeout: number): Promise<Answer> {
  const { request } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'))
  const signal = AbortSignal.timeout(timeout)
  return new Promise((resolve) => {
    const fault = ({ name, code }: NodeJS.ErrnoException) =>
      resolve({ fault: signal.aborted ? `it did not answer within ${timeout} ms` : `no connection (${code ?? name})` })
    const sent = request(
      url,
      { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, signal },
      (response) => {
        response.on('error', () => {})
        const retryAfter = Number(response.headers['retry-after'])
        resolve({ status: response.statusCode ?? 0, retryAfter: Number.isFinite(retryAfter) ? retryAfter : 0 })
        response.destroy()
      },
    )
    sent.on('error', fault)
    sent.end(body)
  })
}

function refused(to: string, status: number): ConfigurationError {
  return new ConfigurationError(
    `${to} refused the message with ${status}, so nobody reads it there. Look at the URL and the secret that notify of infra/environments.ts names: docs/operations.md, "Slack and webhooks".`,
  )
}
