import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** An execution as the service keeps it. */
export interface FakeExecution {
  readonly name: string
  readonly input: string
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED'
}

/** What befalls the next requests: the service breaks before the work, or its reply is lost after it. */
export type Fault = 'refused' | 'reply lost'

export interface PutEvent {
  readonly Source: string
  readonly DetailType: string
  readonly Detail: string
}

/**
 * A local server that speaks as much of Step Functions (StartExecution, DescribeExecution) and EventBridge (PutEvents)
 * as the SDK's clients need, by their documented rules: an execution's name is taken for 90 days, and only the same start
 * of a running one may be repeated.
 */
export class AwsApi {
  readonly executions = new Map<string, FakeExecution>()
  readonly events: PutEvent[] = []
  readonly faults: Fault[] = []
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
    const target = String(request.headers['x-amz-target'])
    const body = JSON.parse(await text(request)) as Record<string, string>
    const fault = this.faults.shift()
    if (fault === 'refused') return reply(response, 503, { __type: 'ServiceUnavailable', message: 'try again' })
    const [status, answer] = this.#perform(target.split('.').at(-1) ?? '', body)
    if (fault === 'reply lost') request.socket.destroy()
    else reply(response, status, answer)
  }

  #perform(operation: string, body: Record<string, unknown>): [number, object] {
    switch (operation) {
      case 'StartExecution':
        return this.#startExecution(body as { stateMachineArn: string; name: string; input: string })
      case 'DescribeExecution': {
        const execution = this.executions.get(String(body.executionArn).split(':').at(-1) ?? '')
        return execution ? [200, execution] : [400, { __type: 'ExecutionDoesNotExist', message: 'no such execution' }]
      }
      case 'PutEvents':
        this.events.push(...(body.Entries as PutEvent[]))
        return [200, { FailedEntryCount: 0, Entries: [{ EventId: '1' }] }]
      default:
        return [400, { __type: 'UnknownOperationException', message: operation }]
    }
  }

  #startExecution({
    stateMachineArn,
    name,
    input,
  }: {
    stateMachineArn: string
    name: string
    input: string
  }): [number, object] {
    const known = this.executions.get(name)
    if (known && (known.status !== 'RUNNING' || known.input !== input)) {
      return [400, { __type: 'ExecutionAlreadyExists', message: `Execution Already Exists: '${name}'` }]
    }
    if (!known) this.executions.set(name, { name, input, status: 'RUNNING' })
    const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`
    return [200, { executionArn, startDate: Date.now() / 1000 }]
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))
}
