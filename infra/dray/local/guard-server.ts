import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

type Listener = (request: IncomingMessage, response: ServerResponse) => void

const LOOPBACK = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/

/** What a client has to know to be answered by a local server: the id of its access key. */
export function newToken(): string {
  return randomBytes(20).toString('hex')
}

/**
 * Lets a local server answer those alone who know its token: every user of the machine reaches its port, and every page
 * in a browser. A request of a page has an Origin, and one that came by a foreign name has that name as its Host.
 */
export function guardServer(server: Server, token: string): void {
  const listeners = server.listeners('request') as Listener[]
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (isKnown(request, token)) return listeners.forEach((answer) => void answer(request, response))
    request.resume()
    response.writeHead(403, { 'Content-Type': 'application/json', Connection: 'close' })
    response.end(
      '{"__type":"AccessDeniedException","message":"This server answers the command that started it alone."}',
    )
  })
}

function isKnown({ headers }: IncomingMessage, token: string): boolean {
  const { host = '', origin, authorization = '' } = headers
  if (origin !== undefined || !LOOPBACK.test(host)) return false
  const told = Buffer.from(/\bCredential=([^/,\s]*)\//.exec(authorization)?.[1] ?? authorization)
  const expected = Buffer.from(token)
  return told.length === expected.length && timingSafeEqual(told, expected)
}
