import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { buildApp } from 'fauxqs'
import { guardServer } from '../guard-server.ts'

/** Where the functions' clients find the services of AWS. */
export interface Endpoints {
  /** The SDK's own variables, with the key that these services ask for. */
  readonly variables: Readonly<Record<string, string>>
  readonly s3: string
  stop(): Promise<void>
}

/** An entry of PutEvents. */
export interface PutEvent {
  readonly EventBusName: string
  readonly Source: string
  readonly DetailType: string
  readonly Detail: string
}

export interface EndpointOptions {
  /** The URL of a DynamoDB. */
  readonly dynamodb: string
  /** The id of the access key that all of them ask for. */
  readonly token: string
  readonly bucket: string
  readonly onEvent?: ((event: PutEvent) => void) | undefined
}

const HOST = '127.0.0.1'

/** Starts S3 in memory with an empty bucket, and a bus that nobody listens on. */
export async function startEndpoints({ dynamodb, token, bucket, onEvent }: EndpointOptions): Promise<Endpoints> {
  const storage = buildApp({ logger: false, host: HOST })
  await storage.inject({ method: 'PUT', url: `/${bucket}` })
  guardServer(storage.server, token)
  const s3 = await storage.listen({ port: 0, host: HOST })
  const bus = await startBus(onEvent)
  guardServer(bus, token)
  return {
    s3,
    variables: {
      AWS_ACCESS_KEY_ID: token,
      AWS_ENDPOINT_URL_DYNAMODB: new URL(dynamodb).origin,
      AWS_ENDPOINT_URL_S3: s3,
      AWS_ENDPOINT_URL_EVENTBRIDGE: `http://${HOST}:${(bus.address() as AddressInfo).port}`,
    },
    async stop() {
      bus.close()
      bus.closeAllConnections()
      await storage.close()
    },
  }
}

async function startBus(onEvent?: (event: PutEvent) => void): Promise<Server> {
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await text(request)) as { Entries?: readonly PutEvent[] }
    const known = request.headers['x-amz-target'] === 'AWSEvents.PutEvents' && Array.isArray(body.Entries)
    const entries = body.Entries ?? []
    for (const entry of entries) onEvent?.(entry)
    const answer = known
      ? { FailedEntryCount: 0, Entries: entries.map((_, index) => ({ EventId: `local-${index}` })) }
      : { __type: 'UnknownOperationException', message: 'Only PutEvents is known here.' }
    response.writeHead(known ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, HOST, () => resolve()))
  return server
}
