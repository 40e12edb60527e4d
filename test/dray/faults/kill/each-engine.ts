import { type TestContext, test } from 'node:test'
import { MYSQL_NAME } from '#test/services/mysql-server.ts'
import type { Engine } from './engines.ts'
import { Lane, type LaneOptions } from './lane.ts'
import { privateServer, type Server } from './server.ts'

type Options = Partial<Omit<LaneOptions, 'place' | 'sourceUrl' | 'targetUrl'>> & {
  /** Which of the two is reached through the proxy; the target unless told. */
  readonly proxied?: 'source' | 'target'
  /** Told of its URL; returns the one that the adapter is to use. */
  readonly proxy?: (t: TestContext, url: string) => Promise<string>
}

let lanes = 0

/** Opens a lane on a server; it is closed with the test. */
export async function openLane(t: TestContext, engine: Engine, server: Server, options: Options = {}): Promise<Lane> {
  lanes += 1
  const { proxy, proxied = 'target', ...rest } = options
  const urls = { sourceUrl: await server.createDatabase(), targetUrl: await server.createDatabase() }
  const name = proxied === 'source' ? 'sourceUrl' : 'targetUrl'
  const through = proxy === undefined ? {} : { [name]: await proxy(t, urls[name]) }
  const lane = await Lane.open({ place: `faults-${engine}-${lanes}`, ...urls, through, ...rest })
  t.after(() => lane.close())
  return lane
}

/** Runs tests on both engines, each on one server of its own. */
export function onEachEngine(
  what: string,
  tests: (t: TestContext, engine: Engine, server: Server) => Promise<void>,
): void {
  for (const engine of ['postgres', 'mariadb'] as const) {
    test(`${engine === 'mariadb' ? MYSQL_NAME : engine}: ${what}`, async (t) => {
      const server = await privateServer(engine)
      if ('unavailable' in server) return t.skip(server.unavailable)
      try {
        await tests(t, engine, server)
      } finally {
        await server.stop()
      }
    })
  }
}
