import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

export interface LineageServer {
  readonly url: string
  /** What came, with the answers that were given to it; to be emptied by the test. */
  readonly received: Received[]
  /** The status of the next answers; none: it never answers. */
  answer: number | null
  stop(): Promise<void>
}

/** A server that takes events of OpenLineage, as Marquez does. */
export async function startLineageServer(): Promise<LineageServer> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    received.push({ path: request.url ?? '', headers: request.headers, body: await json(request) })
    if (started.answer !== null) response.writeHead(started.answer).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const started: LineageServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: 201,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return started
}
