import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface SlowProxy {
  /** The URL given, through the proxy. */
  readonly url: string
  stop(): Promise<void>
}

/**
 * Stands before a server as a line to another region does: every byte comes later, and only so many a second on a
 * connection.
 */
export async function slowProxy(
  url: string,
  line: { readonly delayMs: number; readonly bytesPerSecond: number },
): Promise<SlowProxy> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: hostname, port: Number(port), noDelay: true })
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => into.destroy())
      from.on('close', () => sockets.delete(from))
      void carry(from, into, line).catch(() => into.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const through = new URL(url)
  through.port = String((server.address() as AddressInfo).port)
  return {
    url: through.href,
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function carry(from: Socket, into: Socket, line: { delayMs: number; bytesPerSecond: number }): Promise<void> {
  let free = performance.now()
  let last = Promise.resolve()
  for await (const chunk of from as AsyncIterable<Buffer>) {
    free = Math.max(free, performance.now()) + (chunk.length / line.bytesPerSecond) * 1000
    const due = free + line.delayMs
    last = last.then(async () => {
      await sleep(Math.max(0, due - performance.now()))
      if (!into.write(chunk)) await Promise.race([once(into, 'drain'), once(into, 'close')])
    })
    last.catch(() => {})
    // The sender is held back as soon as a little is under way.
    const ahead = free - performance.now()
    if (ahead > 20) await sleep(ahead - 10)
  }
  await last
  into.end()
}
