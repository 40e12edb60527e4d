import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createMysqlAdapter } from 'dray/internal/database/mysql/adapter.ts'
import { createPostgresAdapter } from 'dray/internal/database/postgres/adapter.ts'

const engines = { postgres: createPostgresAdapter, mysql: createMysqlAdapter } as const

/** The URL of a server that hangs up on each who comes, or is not there. */
async function away(t: TestContext, scheme: string, isThere: boolean): Promise<string> {
  const server: Server = createServer((socket) => socket.resetAndDestroy()).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { readonly port: number }
  if (isThere) t.after(() => server.close())
  else await new Promise((resolve) => server.close(resolve))
  return `${scheme}://user:word@127.0.0.1:${port}/till?sslmode=disable`
}

for (const [scheme, createAdapter] of Object.entries(engines)) {
  for (const [where, name] of [
    ['in a Lambda', 'Transient'],
    ['on a laptop', 'Configuration'],
  ] as const) {
    test(`a ${scheme} server that is not there for who comes first is, ${where}, ${name}, with what to look at`, async (t) => {
      const saved = { ...process.env }
      t.after(() => {
        process.env = saved
      })
      const url = await away(t, scheme, false)
      if (where === 'in a Lambda') process.env.AWS_LAMBDA_FUNCTION_NAME = 'Dray-dev_orders_extract'
      const adapter = createAdapter({ name: 'till', url })
      t.after(() => adapter.close())

      await assert.rejects(adapter.acquire(), {
        name,
        message: /127\.0\.0\.1:\d+.*(start the server|Start the server)/s,
      })
    })
  }

  test(`a ${scheme} server that hangs up on a Lambda is Transient`, async (t) => {
    const saved = { ...process.env }
    t.after(() => {
      process.env = saved
    })
    const url = await away(t, scheme, true)
    process.env.AWS_LAMBDA_FUNCTION_NAME = 'Dray-dev_orders_extract'
    const adapter = createAdapter({ name: 'till', url })
    t.after(() => adapter.close())

    await assert.rejects(adapter.acquire(), { name: 'Transient' })
  })
}
