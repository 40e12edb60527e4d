import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { AwsNetwork, ec2Error, isOfEc2 } from './aws-network.ts'
import { type Answer, AwsStacks, queryError } from './aws-stacks.ts'

/** An execution as the service keeps it. */
export interface FakeExecution {
  readonly name: string
  readonly input: string
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED'
  /** Seconds since 1970. */
  readonly startDate: number
  stopDate?: number
  error?: string
  cause?: string
}

/** Bytes of UTF-8: https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html */
const LONGEST_INPUT = 262_144

/** What befalls the next requests: the service breaks before the work, or its reply is lost after it. */
export type Fault = 'refused' | 'reply lost'

export interface PutEvent {
  readonly Source: string
  readonly DetailType: string
  readonly Detail: string
}

interface LogEvent {
  readonly group: string
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly message: string
}

/**
 * A local server that stands for services of which there is no real one to be had, as far as the SDK's clients need it
 * and by their documented rules: Step Functions (an execution's name is taken for 90 days, and only the same start of a
 * running one may be repeated), EventBridge (PutEvents), CloudFormation (what stacks say of themselves), CloudWatch
 * Logs (FilterLogEvents by a quoted term), Secrets Manager (GetSecretValue), Lambda (GetAccountSettings, Invoke) and
 * EC2 (what networks say of themselves).
 */
export class AwsApi {
  readonly executions = new Map<string, FakeExecution>()
  readonly events: PutEvent[] = []
  readonly faults: Fault[] = []
  readonly cloudFormation = new AwsStacks()
  readonly network = new AwsNetwork()
  readonly logEvents: LogEvent[] = []
  /** By name or ARN. */
  readonly secrets = new Map<string, string>()
  /** Functions at once that Lambda gives the account. */
  accountConcurrency = 1000
  /** Bytes of the code of all functions, of 75 GB. */
  accountCode = 0
  /** What functions do, by their names; what they throw is a failure of the function. */
  readonly functions = new Map<string, (payload: unknown) => Promise<unknown>>()
  /** ARNs of executions that were to be stopped. */
  readonly stopped: string[] = []
  /** Of the state machine of a workflow, with ARNs for its placeholders. */
  definition = '{}'
  /** Operations that are refused, with the code of the error. */
  readonly refusals = new Map<string, string>()
  /** Told of each new execution, to run it; the signal says that it was stopped. */
  onStart: ((execution: FakeExecution, stopped: AbortSignal) => void) | null = null
  readonly #stops = new Map<string, AbortController>()
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get running(): readonly string[] {
    return [...this.executions.values()].filter(({ status }) => status === 'RUNNING').map(({ name }) => name)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const fault = this.faults.shift()
    if (fault === 'refused') return reply(response, [503, { __type: 'ServiceUnavailable', message: 'try again' }])
    const target = request.headers['x-amz-target']
    const [, called] = /^\/2015-03-31\/functions\/([^/]+)\/invocations/.exec(request.url ?? '') ?? []
    if (called !== undefined) return this.#invoke(decodeURIComponent(called), JSON.parse(body), response)
    const isLambda = request.url?.startsWith('/2016-08-19/account-settings') === true
    const answer = isLambda
      ? this.#accountSettings()
      : target === undefined
        ? this.#performQuery(new URLSearchParams(body))
        : this.#perform(String(target).split('.').at(-1) ?? '', JSON.parse(body))
    if (fault === 'reply lost') request.socket.destroy()
    else reply(response, answer)
  }

  async #invoke(name: string, payload: unknown, response: ServerResponse): Promise<void> {
    const refusal = this.refusals.get('Invoke')
    if (refusal !== undefined)
      return reply(response, [403, { __type: refusal, message: `Invoke is refused: ${refusal}` }])
    const work = this.functions.get(name)
    if (work === undefined)
      return reply(response, [404, { __type: 'ResourceNotFoundException', message: `Function not found: ${name}` }])
    try {
      reply(response, [200, (await work(payload)) as object])
    } catch (error) {
      const { name: errorType, message: errorMessage } = error as Error
      response.setHeader('X-Amz-Function-Error', 'Unhandled')
      reply(response, [200, { errorType, errorMessage, trace: [] }])
    }
  }

  #accountSettings(): Answer {
    const refusal = this.refusals.get('GetAccountSettings')
    if (refusal !== undefined) return [403, { __type: refusal, message: `GetAccountSettings is refused: ${refusal}` }]
    return [
      200,
      {
        AccountLimit: { ConcurrentExecutions: this.accountConcurrency, TotalCodeSize: 75 * 1024 ** 3 },
        AccountUsage: { TotalCodeSize: this.accountCode },
      },
    ]
  }

  #performQuery(form: URLSearchParams): Answer {
    const action = form.get('Action') ?? ''
    const refusal = this.refusals.get(action)
    if (refusal !== undefined)
      return (isOfEc2(action) ? ec2Error : queryError.bind(null, 403))(refusal, `${action} is refused: ${refusal}`)
    return this.network.answer(form) ?? this.cloudFormation.answer(form)
  }

  #perform(operation: string, body: Record<string, unknown>): Answer {
    const refusal = this.refusals.get(operation)
    if (refusal !== undefined) return [400, { __type: refusal, message: `${operation} is refused: ${refusal}` }]
    switch (operation) {
      case 'StartExecution':
        return this.#startExecution(body as { stateMachineArn: string; name: string; input: string })
      case 'DescribeExecution':
        return this.#describeExecution(String(body.executionArn))
      case 'DescribeStateMachine':
      case 'DescribeStateMachineForExecution':
        return [200, { definition: this.definition }]
      case 'StopExecution':
        return this.#stopExecution(body as { executionArn: string; error: string; cause: string })
      case 'PutEvents':
        this.events.push(...(body.Entries as PutEvent[]))
        return [200, { FailedEntryCount: 0, Entries: [{ EventId: '1' }] }]
      case 'FilterLogEvents':
        return this.#filterLogEvents(body as unknown as LogFilter)
      case 'GetSecretValue':
        return this.#getSecret(String(body.SecretId))
      default:
        return [400, { __type: 'UnknownOperationException', message: operation }]
    }
  }

  #startExecution({ stateMachineArn, name, input }: { stateMachineArn: string; name: string; input: string }): Answer {
    if (Buffer.byteLength(input) > LONGEST_INPUT) {
      const rule = `Member must have length less than or equal to ${LONGEST_INPUT}`
      return [400, { __type: 'ValidationException', message: `Value at 'input' failed to satisfy constraint: ${rule}` }]
    }
    const known = this.executions.get(name)
    if (known && (known.status !== 'RUNNING' || known.input !== input)) {
      return [400, { __type: 'ExecutionAlreadyExists', message: `Execution Already Exists: '${name}'` }]
    }
    if (!known) {
      const execution: FakeExecution = { name, input, status: 'RUNNING', startDate: Date.now() / 1000 }
      const stop = new AbortController()
      this.executions.set(name, execution)
      this.#stops.set(name, stop)
      this.onStart?.(execution, stop.signal)
    }
    const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`
    return [200, { executionArn, startDate: Date.now() / 1000 }]
  }

  #describeExecution(executionArn: string): Answer {
    const execution = this.executions.get(nameIn(executionArn))
    if (execution === undefined) return [400, { __type: 'ExecutionDoesNotExist', message: 'no such execution' }]
    return [200, { executionArn, ...execution }]
  }

  #stopExecution({ executionArn, error, cause }: { executionArn: string; error: string; cause: string }): Answer {
    this.stopped.push(executionArn)
    this.#stops.get(nameIn(executionArn))?.abort(Object.assign(new Error(cause), { name: error }))
    return [200, { stopDate: Date.now() / 1000 }]
  }

  #filterLogEvents({ logGroupName, startTime, endTime = Number.MAX_VALUE, filterPattern }: LogFilter): Answer {
    const term = filterPattern.slice(1, -1)
    const events = this.logEvents.filter(
      ({ group, timestamp, message }) =>
        group === logGroupName && timestamp >= startTime && timestamp <= endTime && message.includes(term),
    )
    return [200, { events: events.map(({ timestamp, message }) => ({ timestamp, message })) }]
  }

  #getSecret(id: string): Answer {
    const SecretString = this.secrets.get(id)
    if (SecretString === undefined) return [400, { __type: 'ResourceNotFoundException', message: `no secret ${id}` }]
    return [200, { Name: id, SecretString }]
  }
}

interface LogFilter {
  readonly logGroupName: string
  readonly startTime: number
  readonly endTime?: number
  /** A term in quotes. */
  readonly filterPattern: string
}

function nameIn(executionArn: string): string {
  return executionArn.split(':').at(-1) ?? ''
}

function reply(response: ServerResponse, [status, body]: Answer): void {
  const [type, document] =
    typeof body === 'string' ? ['text/xml', body] : ['application/x-amz-json-1.0', JSON.stringify(body)]
  response.writeHead(status, { 'content-type': type }).end(document)
}
