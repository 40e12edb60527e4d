import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface SlowProxy {
  /** The URL given, through the proxy. */
  readonly url: string
  /** How many requests of HTTP have gone through it. */
  requests(): number
  stop(): Promise<void>
}

/** A line's milliseconds there and back, and how many bytes a second a connection carries. */
export interface Line {
  readonly delayMs: readonly [there: number, back: number]
  readonly bytesPerSecond: number
}

const REQUEST = /^(GET|PUT|POST|HEAD|DELETE) /

/** Stands before a server as a long line does: every byte comes later, and only so many a second on a connection. */
export async function slowProxy(url: string, { delayMs, bytesPerSecond }: Line): Promise<SlowProxy> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let requests = 0
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: hostname, port: Number(port), noDelay: true })
    const count = (chunk: Buffer) => {
      if (REQUEST.test(chunk.toString('latin1', 0, 8))) requests += 1
    }
    for (const [from, into, delay, see] of [
      [near, far, delayMs[0], count],
      [far, near, delayMs[1], () => {}],
    ] as const) {
      sockets.add(from)
      from.on('error', () => into.destroy())
      from.on('close', () => sockets.delete(from))
      void carry(from, into, { delayMs: delay, bytesPerSecond }, see).catch(() => into.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const through = new URL(url)
  through.port = String((server.address() as AddressInfo).port)
  return {
    url: through.href,
    requests: () => requests,
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function carry(
  from: Socket,
  into: Socket,
  line: { readonly delayMs: number; readonly bytesPerSecond: number },
  see: (chunk: Buffer) => void,
): Promise<void> {
  let free = performance.now()
  let last = Promise.resolve()
  for await (const chunk of from as AsyncIterable<Buffer>) {
    see(chunk)
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
