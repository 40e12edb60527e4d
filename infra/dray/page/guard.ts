import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'

/*
 * Rows of databases are shown, and runs are started: to nobody but who started the command. Other pages of the browser
 * are kept out by Host (a name that somebody points to 127.0.0.1) and Origin, other users of the machine by the token,
 * which stands behind the `#` of the address and so in no log and no request line.
 */

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
}

/** Refuses whoever does not ask this address from a page of this address, and has nothing kept. */
export function onlyThisPage(port: () => number): MiddlewareHandler {
  return async (context, next) => {
    for (const [name, value] of Object.entries(HEADERS)) context.header(name, value)
    const hosts = [`127.0.0.1:${port()}`, `localhost:${port()}`]
    const host = context.req.header('host') ?? ''
    if (!hosts.includes(host)) return context.text(`This is ${hosts[0]}, and nothing else is served here.\n`, 421)
    const origin = context.req.header('origin')
    const site = context.req.header('sec-fetch-site') ?? 'none'
    const isOwn = (origin === undefined || origin === `http://${host}`) && ['none', 'same-origin'].includes(site)
    if (!isOwn) return context.text('Pages of other addresses get nothing here.\n', 403)
    return next()
  }
}

/** Refuses requests without the token of this start of the command. */
export function onlyWithToken(token: string): MiddlewareHandler {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = digest(`Bearer ${token}`)
  return async (context, next) => {
    if (timingSafeEqual(digest(context.req.header('authorization') ?? ''), expected)) return next()
    return context.json({ error: 'Open the address that `npx dray dev` printed: it bears the token.' }, 401)
  }
}
