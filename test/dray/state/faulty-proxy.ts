import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What happens to a request: it passes, it is performed and its reply is lost, or it never arrives. */
export type Fate = 'pass' | 'perform, then 500' | 'perform, then reset' | '500' | 'reset' | 'throttle' | 'black hole'

export interface FaultyProxy {
  readonly endpoint: string
  /** The operations seen, in order: `UpdateItem`, `GetItem`, … */
  readonly seen: string[]
  /** Decides on each request of an operation by its number, from 1. */
  fate: (operation: string, count: number) => Fate | Promise<Fate>
  stop(): Promise<void>
}

const THROTTLED = JSON.stringify({
  __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
  message: 'Too much',
})

/** Stands between the store and DynamoDB. */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const { origin, username } = new URL(target)
  const forwarded = new Set<Promise<unknown>>()
  const proxy = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? ''
    faulty.seen.push(operation)
    const fate = await faulty.fate(operation, faulty.seen.filter((seen) => seen === operation).length)
    if (fate === 'black hole') return
    if (fate === 'reset') return void request.socket.resetAndDestroy()
    if (fate === '500') return void response.writeHead(500).end('{}')
    if (fate === 'throttle') return void response.writeHead(400).end(THROTTLED)
    const { connection: _, 'content-length': __, 'transfer-encoding': ___, expect: ____, ...headers } = request.headers
    const forward = async () => {
      const answer = await fetch(origin, {
        method: 'POST',
        headers: headers as Record<string, string>,
        body: Buffer.concat(chunks),
      })
      return { answer, body: Buffer.from(await answer.arrayBuffer()) }
    }
    const performed = forward()
    forwarded.add(performed)
    const { answer, body } = await performed.finally(() => forwarded.delete(performed))
    if (fate === 'perform, then reset') return void request.socket.resetAndDestroy()
    if (fate === 'perform, then 500') return void response.writeHead(500).end('{}')
    const crc32 = answer.headers.get('x-amz-crc32') ?? ''
    response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0', 'x-amz-crc32': crc32 }).end(body)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const faulty: FaultyProxy = {
    endpoint: `http://${username}@127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    seen: [],
    fate: () => 'pass',
    async stop() {
      // What nobody waits for any more is still being performed.
      await Promise.allSettled(forwarded)
      await new Promise<void>((resolve) => {
        proxy.close(() => resolve())
        proxy.closeAllConnections()
      })
    },
  }
  return faulty
}
