import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { type Asset, asset, clientFiles, encoded, ICON, pageHtml } from './assets.ts'
import { onlyThisPage, onlyWithToken } from './guard.ts'
import { Page } from './page.ts'
import type { PageSource } from './page-source.ts'
import { routes } from './routes.ts'

export interface ServedPage {
  /** With the token behind the `#`, for the person who has started it. */
  readonly url: string
  readonly token: string
  close(): Promise<void>
}

const MOST_BYTES = 256 * 1024

/** Serves the page on 127.0.0.1. Throws `Configuration` where the port is taken. */
export async function servePage(source: PageSource, { port }: { readonly port: number }): Promise<ServedPage> {
  const token = randomBytes(24).toString('base64url')
  const page = new Page(source)
  const assets = assetsOf()
  let bound = port
  const app = new Hono()
  app.use(onlyThisPage(() => bound))
  for (const name of ['page.js', 'page.css', 'icon.svg', '']) {
    app.get(`/${name}`, async (context) => {
      const file = (await assets).get(name) as Asset
      const { body, encoding } = encoded(file, context.req.header('accept-encoding') ?? '')
      if (encoding !== null) context.header('content-encoding', encoding)
      context.header('content-type', file.type)
      return context.body(new Uint8Array(body))
    })
  }
  app.use('/api/*', onlyWithToken(token))
  app.use('/events', onlyWithToken(token))
  app.use(bodyLimit({ maxSize: MOST_BYTES }))
  app.use(compress())
  app.route('/', routes(page))
  app.notFound((context) => context.json({ error: 'There is no such page.' }, 404))
  app.onError((error, context) => {
    const { name, message } = source.explained(error) as Error
    return context.json({ error: message }, name === 'Configuration' ? 400 : 500)
  })
  const server = await listening(app, port)
  bound = (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${bound}/#token=${token}`,
    token,
    async close() {
      await page.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function assetsOf(): Promise<ReadonlyMap<string, Asset>> {
  const { script, style } = await clientFiles()
  return new Map([
    ['', asset('text/html; charset=utf-8', pageHtml('Dray'))],
    ['page.js', asset('text/javascript; charset=utf-8', script)],
    ['page.css', asset('text/css; charset=utf-8', style)],
    ['icon.svg', asset('image/svg+xml', ICON)],
  ])
}

function listening(app: Hono, port: number): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, () => resolve(server))
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error)
      reject(
        new ConfigurationError(
          `The port ${port} of 127.0.0.1 is taken, by another \`dray dev\` perhaps, so nothing is served; take another one: \`npx dray dev --port ${port + 1}\`.`,
          { cause: error },
        ),
      )
    })
  })
}
