import { setImmediate as nextTurn } from 'node:timers/promises'
import { TransientError } from '#dray/errors.ts'

export interface PoolOptions<T> {
  /** For messages. */
  readonly name: string
  /** Connections at most. */
  readonly max: number
  open(): Promise<T>
  /** False when an idle connection has died; asked before it is used again. */
  alive(connection: T, idleMilliseconds: number): Promise<boolean>
  close(connection: T): Promise<void>
  /** An idle connection does not keep the process running. */
  setIdle?(connection: T, idle: boolean): void
}

interface Idle<T> {
  readonly connection: T
  readonly since: number
}

const WAIT_MILLISECONDS = 60_000

/** A few connections, opened when first needed; one that died while idle is replaced silently. */
export class Pool<T> {
  readonly #options: PoolOptions<T>
  readonly #idle: Idle<T>[] = []
  readonly #used = new Set<T>()
  readonly #waiting: (() => void)[] = []
  #slots: number
  #closed = false

  constructor(options: PoolOptions<T>) {
    this.#options = options
    this.#slots = options.max
  }

  /** Throws what `open` throws, and `Transient` when no connection is given back within a minute. */
  async acquire(): Promise<T> {
    await this.#takeSlot()
    try {
      const connection = (await this.#takeIdle()) ?? (await this.#options.open())
      this.#used.add(connection)
      return connection
    } catch (error) {
      this.#freeSlot()
      throw error
    }
  }

  async release(connection: T, broken: boolean): Promise<void> {
    if (!this.#used.delete(connection)) return
    if (broken || this.#closed) {
      await this.#options.close(connection).finally(() => this.#freeSlot())
      return
    }
    this.#options.setIdle?.(connection, true)
    this.#idle.push({ connection, since: performance.now() })
    this.#freeSlot()
  }

  /** Closes every connection, those in use too; the next `acquire` opens a new one. */
  async close(): Promise<void> {
    this.#closed = true
    const connections = [...this.#idle.splice(0).map((idle) => idle.connection), ...this.#used]
    this.#slots += this.#used.size
    this.#used.clear()
    await Promise.all(connections.map((connection) => this.#options.close(connection)))
    this.#closed = false
  }

  async #takeIdle(): Promise<T | null> {
    if (this.#idle.length === 0) return null
    // Lets a disconnection that has arrived meanwhile (a frozen Lambda) be noticed first.
    await nextTurn()
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      this.#options.setIdle?.(idle.connection, false)
      if (await this.#options.alive(idle.connection, performance.now() - idle.since)) return idle.connection
      await this.#options.close(idle.connection)
    }
    return null
  }

  async #takeSlot(): Promise<void> {
    if (this.#slots > 0) {
      this.#slots -= 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(granted), 1)
        reject(
          new TransientError(
            `All ${this.#options.max} connections to ${this.#options.name} stayed in use for ${WAIT_MILLISECONDS / 1000} s, so the query did not start; raise maxConnections or give connections back sooner`,
          ),
        )
      }, WAIT_MILLISECONDS)
      const granted = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#waiting.push(granted)
    })
  }

  #freeSlot(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#slots += 1
    else next()
  }
}
