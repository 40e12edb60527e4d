import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { guardServer, newToken } from '../guard-server.ts'
import type { RuntimeFailure } from './function-error.ts'

/** One call as the runtime receives it. */
export interface RuntimeInvocation {
  readonly requestId: string
  /** JSON. */
  readonly event: string
  readonly functionArn: string
  readonly timeoutSeconds: number
}

/** What a runtime says. */
export interface RuntimeListeners {
  /** It has taken the call, from when on its time counts. */
  onTaken(requestId: string): void
  onResponse(requestId: string, body: string): void
  onError(requestId: string, failure: RuntimeFailure): void
  /** The function could not even be loaded; the runtime ends. */
  onInitError(failure: RuntimeFailure): void
}

/** Lambda's limit for the payload of a response, in bytes. */
const LONGEST_RESPONSE = 6 * 1024 * 1024 + 100

/**
 * The Runtime API of one execution environment: what a runtime asks for its next call and tells the outcome.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
export class RuntimeApi {
  /** What a runtime has to say in `Authorization`. */
  readonly token = newToken()
  readonly #listeners: RuntimeListeners
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => response.destroy())
  })
  #waiting: ServerResponse | null = null
  #next: RuntimeInvocation | null = null
  #current: string | null = null

  constructor(listeners: RuntimeListeners) {
    this.#listeners = listeners
    // A runtime may wait for its next call as long as there is none.
    this.#server.requestTimeout = 0
    this.#server.keepAliveTimeout = 0
    guardServer(this.#server, this.token)
  }

  /** Its address, `host:port`, as AWS_LAMBDA_RUNTIME_API has it. */
  async start(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', () => resolve())
    })
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** Hands a call to the runtime, now or as soon as it asks. */
  invoke(invocation: RuntimeInvocation): void {
    this.#next = invocation
    this.#hand()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`
    const [, requestId = '', outcome = ''] =
      /^POST \/2018-06-01\/runtime\/invocation\/([^/]+)\/(response|error)$/.exec(route) ?? []
    const body = await text(request)
    if (route === 'GET /2018-06-01/runtime/invocation/next') {
      this.#waiting = response
      this.#hand()
    } else if (route === 'POST /2018-06-01/runtime/init/error') {
      accept(response)
      this.#listeners.onInitError(failureOf(request, body))
    } else if (outcome === '') refuse(response, 404, 'NotFound', route)
    else if (requestId !== this.#current) refuse(response, 400, 'InvalidRequestID', `${requestId} is not being served`)
    else this.#settle(request, requestId, outcome, body, response)
  }

  #settle(request: IncomingMessage, requestId: string, outcome: string, body: string, response: ServerResponse): void {
    this.#current = null
    if (outcome === 'error') {
      accept(response)
      this.#listeners.onError(requestId, failureOf(request, body))
    } else if (Buffer.byteLength(body) > LONGEST_RESPONSE) {
      const errorMessage = `Response payload size exceeded maximum allowed payload size (${LONGEST_RESPONSE} bytes).`
      refuse(response, 413, 'RequestEntityTooLarge', errorMessage)
      this.#listeners.onError(requestId, { errorType: 'Function.ResponseSizeTooLarge', errorMessage })
    } else {
      accept(response)
      this.#listeners.onResponse(requestId, body)
    }
  }

  #hand(): void {
    if (this.#waiting === null || this.#next === null) return
    const { requestId, event, functionArn, timeoutSeconds } = this.#next
    this.#waiting.writeHead(200, {
      'Content-Type': 'application/json',
      'Lambda-Runtime-Aws-Request-Id': requestId,
      'Lambda-Runtime-Deadline-Ms': String(Date.now() + timeoutSeconds * 1000),
      'Lambda-Runtime-Invoked-Function-Arn': functionArn,
      'Lambda-Runtime-Trace-Id': traceOf(requestId),
    })
    this.#waiting.end(event)
    this.#waiting = null
    this.#next = null
    this.#current = requestId
    this.#listeners.onTaken(requestId)
  }
}

/** X-Ray's header; not sampled, since nobody collects it. */
function traceOf(requestId: string): string {
  const digits = requestId.replaceAll('-', '').slice(0, 24).padEnd(24, '0')
  const seconds = Math.floor(Date.now() / 1000).toString(16)
  return `Root=1-${seconds}-${digits};Parent=${digits.slice(0, 16)};Sampled=0`
}

function failureOf(request: IncomingMessage, body: string): RuntimeFailure {
  try {
    const { errorType, errorMessage, trace } = JSON.parse(body) as RuntimeFailure
    return { errorType: String(errorType), errorMessage: String(errorMessage), ...(trace ? { trace } : {}) }
  } catch {
    const type = request.headers['lambda-runtime-function-error-type']
    return { errorType: String(type ?? 'Runtime.Unknown'), errorMessage: body }
  }
}

function accept(response: ServerResponse): void {
  response.writeHead(202, { 'Content-Type': 'application/json' }).end('{"status":"OK"}')
}

function refuse(response: ServerResponse, status: number, errorType: string, errorMessage: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ errorType, errorMessage }))
}
