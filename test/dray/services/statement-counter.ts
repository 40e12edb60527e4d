import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands before a PostgreSQL server and counts what clients ask of it, whatever these say themselves. */
export interface StatementCounter {
  /** The URL of the same database, through it. */
  readonly url: string
  /** Statements and connections since the last call. */
  take(): { readonly statements: number; readonly connections: number }
  stop(): Promise<void>
}

/** Messages of a client that have a server work: a text of statements, and the execution of a prepared one. */
const ASKING = new Set(['Q', 'E'].map((type) => type.charCodeAt(0)))

/** Asks whether a session lives that was idle for a while: how often that is depends on the machine. */
const ALIVE = 'SELECT 1\0'

export async function countStatements(url: string): Promise<StatementCounter> {
  const to = new URL(url)
  const sockets = new Set<Socket>()
  let counted = { statements: 0, connections: 0 }
  const server = createServer((client) => {
    counted.connections += 1
    const upstream = connect(Number(to.port), to.hostname)
    const count = messageCounter((type, body) => {
      if (ASKING.has(type) && body.toString() !== ALIVE) counted.statements += 1
    })
    client.on('data', count)
    for (const [from, onto] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => onto.destroy())
      from.on('close', () => sockets.delete(from))
      from.pipe(onto)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const through = new URL(url)
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: through.href,
    take() {
      const taken = counted
      counted = { statements: 0, connections: 0 }
      return taken
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Tells type and body of each message of a client; the first, which opens the session, has no type. */
function messageCounter(onMessage: (type: number, body: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let isOpened = false
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const head = isOpened ? 1 : 0
      if (rest.length < head + 4) return
      const end = head + rest.readUInt32BE(head)
      if (rest.length < end) return
      if (isOpened) onMessage(rest[0] as number, rest.subarray(head + 4, end))
      isOpened = true
      rest = rest.subarray(end)
    }
  }
}
