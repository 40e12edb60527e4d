import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** One connection through the proxy. */
export interface Link {
  /** The last of what the client has sent, with the chunk that is told of. */
  readonly sent: Buffer
  /** Both sides get a reset. */
  reset(): void
  /** Nothing passes any more in either direction, and nobody is told. */
  silence(): void
  /** What is sent from now on arrives; no reply comes any more. */
  mute(): void
  /** What is sent from now on arrives; the next reply is thrown away and the client gets a reset. */
  loseReply(): void
}

/** Told of each chunk that a client sends, before it is forwarded. */
export type OnRequest = (chunk: Buffer, link: Link) => void

/** Stands between an adapter and its server, on the level of TCP. */
export class TcpProxy {
  onRequest: OnRequest = () => {}
  readonly #server = createServer((client) => this.#link(client))
  readonly #sockets = new Set<Socket>()
  readonly #url: URL

  static async start(url: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(url)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  private constructor(url: string) {
    this.#url = new URL(url)
  }

  /** The URL of the database, through the proxy. */
  get url(): string {
    const through = new URL(this.#url)
    through.port = String((this.#server.address() as AddressInfo).port)
    return through.href
  }

  /** Refuses connections, and ends those that there are, until the returned function is called. */
  async away(): Promise<() => Promise<void>> {
    const { port } = this.#server.address() as AddressInfo
    await this.stop()
    return async () => {
      this.#server.listen(port, '127.0.0.1')
      await once(this.#server, 'listening')
    }
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #link(client: Socket): void {
    const server = connect(Number(this.#url.port), this.#url.hostname)
    let state: 'open' | 'silent' | 'mute' | 'losing' = 'open'
    let sent = Buffer.alloc(0)
    const link: Link = {
      get sent() {
        return sent
      },
      reset() {
        state = 'silent'
        client.resetAndDestroy()
        server.resetAndDestroy()
      },
      silence() {
        state = 'silent'
      },
      mute() {
        state = 'mute'
      },
      loseReply() {
        state = 'losing'
      },
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => this.#sockets.delete(socket))
    }
    client.on('data', (chunk: Buffer) => {
      if (state === 'silent' || state === 'losing') return
      sent = Buffer.concat([sent, chunk]).subarray(-64 * 1024)
      this.onRequest(chunk, link)
      if ((state as string) !== 'silent') server.write(chunk)
    })
    server.on('data', (chunk: Buffer) => {
      if (state === 'losing') link.reset()
      else if (state === 'open') client.write(chunk)
    })
    // A silent line carries no end either.
    const isDead = () => state === 'silent' || state === 'mute'
    client.on('end', () => isDead() || server.end())
    client.on('close', () => isDead() || server.destroy())
    server.on('close', () => isDead() || client.destroy())
  }
}
