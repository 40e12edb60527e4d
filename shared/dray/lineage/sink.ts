import { appendFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { RunEvent } from './run-event.ts'

/** Where events go. `send` rejects with the reason when one did not get there. */
export interface LineageSink {
  /** Without a key, a password or parameters; for messages. */
  readonly place: string
  send(event: RunEvent): Promise<void>
}

/** For one event, its second try included, in ms. */
const DEADLINE_MS = 1_500
const PAUSE_MS = 100
/** How long a sink that did not answer is left alone, in ms: a sink that is down costs a process one deadline. */
const REST_MS = 60_000

/** Receives events by POST, as Marquez and other servers of OpenLineage do. */
export class HttpSink implements LineageSink {
  readonly place: string
  readonly #url: string
  readonly #authorization: string | null
  #fault = ''
  #restsUntil = 0

  /** A user and a password in the URL are sent as such; the key goes before them. */
  constructor(url: URL, key: string | null) {
    const bare = new URL(url)
    bare.username = bare.password = ''
    this.#url = bare.href
    this.place = bare.origin + bare.pathname
    this.#authorization = key === null ? basic(url) : `Bearer ${key}`
  }

  async send(event: RunEvent): Promise<void> {
    if (performance.now() < this.#restsUntil) throw new Error(this.#fault)
    const deadline = AbortSignal.timeout(DEADLINE_MS)
    try {
      const status = await this.#post(event, deadline).catch((error: unknown) => {
        if (deadline.aborted) throw error
        return 503
      })
      if (status < 500 && status !== 429) return checked(status)
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      checked(await this.#post(event, deadline))
    } catch (error) {
      if (error instanceof Refused && error.status < 500) throw error
      this.#fault = deadline.aborted ? `it did not answer within ${DEADLINE_MS} ms` : reasonOf(error as Error)
      this.#restsUntil = performance.now() + REST_MS
      throw new Error(this.#fault, { cause: error })
    }
  }

  /**
   * The status of the answer. Nothing else of it is read, since it may have no end, and no redirection is followed: the
   * key goes where it was meant to go. It is not `fetch`, whose parser throws out of anyone's reach at some answers.
   */
  async #post(event: RunEvent, signal: AbortSignal): Promise<number> {
    const { request } = await (this.#url.startsWith('https:') ? import('node:https') : import('node:http'))
    const headers = {
      'content-type': 'application/json',
      ...(this.#authorization === null ? {} : { authorization: this.#authorization }),
    }
    return new Promise((resolve, reject) => {
      const sent = request(this.#url, { method: 'POST', headers, signal }, (response) => {
        response.on('error', () => {})
        resolve(response.statusCode ?? 0)
        response.destroy()
      })
      sent.on('error', reject)
      sent.on('close', () => reject(new Error('it closed the connection')))
      sent.end(JSON.stringify(event))
    })
  }
}

/** https://www.rfc-editor.org/rfc/rfc7617 */
function basic({ username, password }: URL): string | null {
  if (username === '' && password === '') return null
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number

  constructor(status: number) {
    super(`it answered ${status}`)
    this.status = status
  }
}

function checked(status: number): void {
  if (status < 200 || status > 299) throw new Refused(status)
}

/** A failed connection to several addresses says nothing but its code. */
function reasonOf({ message, code }: Error & { readonly code?: string }): string {
  return code ?? message
}

/** A file with one event a line. */
export class FileSink implements LineageSink {
  readonly place: string

  constructor(url: URL) {
    this.place = fileURLToPath(url)
  }

  send(event: RunEvent): Promise<void> {
    return appendFile(this.place, `${JSON.stringify(event)}\n`)
  }
}

/** The log, with one event a line. */
export class ConsoleSink implements LineageSink {
  readonly place = 'the log'

  async send(event: RunEvent): Promise<void> {
    process.stdout.write(`${JSON.stringify(event)}\n`)
  }
}
