import { createServer, type IncomingMessage, type Server, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { ACCOUNT, REGION } from '#test/aws/grants/deployment.ts'

/** A call of AWS as policies look at it; what is named at a deployment is called after its logical id. */
export interface GatedCall {
  readonly action: string
  readonly resource: string
  readonly context: Readonly<Record<string, string>>
}

/**
 * Stands between a process and the servers that stand for AWS: notes each call, and refuses those that a test has
 * denied, as the services do.
 */
export class AwsGate {
  readonly calls: GatedCall[] = []
  /** Actions that are refused: `logs:FilterLogEvents`. */
  readonly denied = new Set<string>()
  readonly #servers: Server[] = []

  /** The variables of a process, with its endpoints behind the gate. */
  async before(variables: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
    const endpoints = Object.entries(variables).filter(([name]) => name.startsWith('AWS_ENDPOINT_URL'))
    const gated = await Promise.all(
      endpoints.map(async ([name, url = '']) => [name, await this.#listen(new URL(url))] as const),
    )
    return { ...variables, ...Object.fromEntries(gated) }
  }

  stop(): void {
    for (const server of this.#servers) {
      server.closeAllConnections()
      server.close()
    }
  }

  async #listen(behind: URL): Promise<string> {
    const server = createServer((request, response) => void this.#pass(request, response, behind))
    this.#servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async #pass(request: IncomingMessage, response: ServerResponse, behind: URL): Promise<void> {
    const body = await buffer(request)
    const call = callOf(request, body)
    this.calls.push(call)
    if (this.denied.has(call.action)) return refuse(call, request, response)
    const { method, headers, url: path } = request
    const passed = send({ hostname: behind.hostname, port: behind.port, method, headers, path }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => response.destroy())
    passed.end(body)
  }
}

function refuse({ action, resource }: GatedCall, request: IncomingMessage, response: ServerResponse): void {
  const said = `User: arn:aws:iam::${ACCOUNT}:user/person is not authorized to perform: ${action} on resource: ${resource}`
  const xml = `<Code>AccessDenied</Code><Message>${said.replaceAll('<', '&lt;')}</Message>`
  if (request.headers['x-amz-target'] !== undefined) {
    const body = JSON.stringify({ __type: 'com.amazon.coral.service#AccessDeniedException', message: said })
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(body)
  } else if (action.startsWith('lambda:')) {
    const headers = { 'content-type': 'application/json', 'x-amzn-errortype': 'AccessDeniedException' }
    response.writeHead(403, headers).end(JSON.stringify({ Message: said }))
  } else if (action.startsWith('s3:')) response.writeHead(403).end(`<Error>${xml}</Error>`)
  else
    response
      .writeHead(403, { 'content-type': 'text/xml' })
      .end(`<ErrorResponse><Error><Type>Sender</Type>${xml}</Error></ErrorResponse>`)
}

const arn = (service: string, rest: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`
/** Of any region and account, that of the policies. */
const own = (given: string) => given.replace(/^(arn:aws:\w+):[^:]*:[^:]*:/, `$1:${REGION}:${ACCOUNT}:`)

function callOf({ headers, method, url = '/' }: IncomingMessage, body: Buffer): GatedCall {
  const target = headers['x-amz-target']
  if (typeof target === 'string') return jsonCall(target, JSON.parse(body.toString() || '{}'))
  const { pathname, searchParams } = new URL(url, 'http://aws')
  if (headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    const form = new URLSearchParams(body.toString())
    const resource = arn('cloudformation', `stack/${form.get('StackName')}/id`)
    return { action: `cloudformation:${form.get('Action')}`, resource, context: {} }
  }
  const called = /^\/2015-03-31\/functions\/([^/]+)\/invocations/.exec(pathname)?.[1]
  if (called !== undefined) {
    return { action: 'lambda:InvokeFunction', resource: arn('lambda', `function:${called}`), context: {} }
  }
  const key = decodeURIComponent(pathname).replace(/^\/[^/]+\/?/, '')
  if (method === 'GET' && key === '') {
    const context = { 's3:prefix': searchParams.get('prefix') ?? '' }
    return { action: 's3:ListBucket', resource: 'arn:aws:s3:::<StagingBucket>', context }
  }
  const verb = { GET: 'GetObject', HEAD: 'GetObject', PUT: 'PutObject', DELETE: 'DeleteObject' }[method ?? ''] ?? method
  return { action: `s3:${verb}`, resource: `arn:aws:s3:::<StagingBucket>/${key}`, context: {} }
}

function jsonCall(target: string, body: Readonly<Record<string, unknown>>): GatedCall {
  const [service = '', operation = ''] = target.split('.')
  if (service.startsWith('DynamoDB')) {
    const index = body.IndexName === undefined ? '' : `/index/${body.IndexName}`
    const of = (body.Key ?? body.Item) as { readonly pk?: { readonly S?: string } } | undefined
    const context: Record<string, string> = of?.pk?.S === undefined ? {} : { 'dynamodb:LeadingKeys': of.pk.S }
    return { action: `dynamodb:${operation}`, resource: arn('dynamodb', `table/<StateTable>${index}`), context }
  }
  if (service.startsWith('Logs')) {
    const resource = arn('logs', `log-group:${body.logGroupName}:log-stream:`)
    return { action: `logs:${operation}`, resource, context: {} }
  }
  if (service === 'secretsmanager') {
    const resource = arn('secretsmanager', `secret:${body.SecretId}-xxxxxx`)
    return { action: `secretsmanager:${operation}`, resource, context: {} }
  }
  const resource = own(String(body.executionArn ?? body.stateMachineArn))
  return { action: `states:${operation}`, resource, context: {} }
}
