import { openDriver } from './driver.ts'
import { MysqlSession } from './session.ts'
import type { Endpoint } from './url.ts'

const KILL_MILLISECONDS = 3_000

/** Stops what sessions do, each through another one, as the socket alone would not. */
export class Kills {
  readonly #endpoint: Endpoint
  readonly #underWay = new Set<Promise<void>>()

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
  }

  /** Returns when the server has taken it, or cannot be reached. */
  kill(threadId: number, what: 'QUERY' | 'CONNECTION'): Promise<void> {
    const work = this.#send(threadId, what).catch(() => {})
    this.#underWay.add(work)
    return work.finally(() => this.#underWay.delete(work))
  }

  async #send(threadId: number, what: 'QUERY' | 'CONNECTION'): Promise<void> {
    const signal = AbortSignal.timeout(KILL_MILLISECONDS)
    const driver = await openDriver(this.#endpoint, signal)
    const session = new MysqlSession(driver, this.#endpoint.place, async () => {})
    await session.run(`KILL ${what} ${threadId}`, { signal }).finally(() => session.close())
  }

  /** Waits for those that are under way. */
  async ended(): Promise<void> {
    await Promise.all(this.#underWay)
  }
}
