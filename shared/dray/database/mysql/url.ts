import type { ConnectionOptions, SslOptions } from 'mysql2'
import { ConfigurationError } from '#dray/errors.ts'
import type { AdapterOptions } from '../adapter.ts'
import { checkTls, isUnescaped, UNESCAPED } from '../database-url.ts'

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/

/** Where a database is, for messages: never the password. */
export interface Place {
  /** The database's name in Dray. */
  readonly name: string
  /** `host:port/database`, or `socket/database`. */
  readonly address: string
  /** Nothing is encrypted on the way to it. */
  readonly isPlain: boolean
}

/** Where a URL points to, and what `mysql2` connects with. */
export interface Endpoint {
  readonly place: Place
  readonly config: ConnectionOptions
  /** A file with the authorities that may have signed the server's certificate. */
  readonly caFile: string | null
  /** For short-lived credentials; asked for each new connection. */
  readonly password: AdapterOptions['password']
}

/**
 * Reads `mysql://user:password@host:port/database?sslmode=…&ssl-ca=…&socket=…`. Throws `Configuration` when the URL is
 * malformed.
 */
export function readUrl({ name, url, password, verified = false }: AdapterOptions): Endpoint {
  if (isUnescaped(url)) throw new ConfigurationError(`${name}: the URL ${UNESCAPED}.`)
  // With fewer slashes the user and the password would be a path, which messages show.
  const parsed = /^(mysql|mariadb):\/\//i.test(url) ? URL.parse(url) : null
  if (parsed === null) {
    throw new ConfigurationError(
      `${name}: the URL cannot be read. Write it as mysql://user:password@host:3306/database.`,
    )
  }
  const host = decodeURIComponent(parsed.hostname).replace(/^\[|\]$/g, '') || 'localhost'
  const port = parsed.port === '' ? 3306 : Number(parsed.port)
  const database = decodeURIComponent(parsed.pathname.slice(1))
  const socket = parsed.searchParams.get('socket')
  const caFile = parsed.searchParams.get('ssl-ca')
  const isHere = socket !== null || LOOPBACK.test(host)
  const isPlain = isHere && caFile === null && !verified
  const mode = parsed.searchParams.get('sslmode') ?? (isPlain ? 'disable' : 'verify-full')
  checkTls({ name, verified }, mode)
  return {
    place: { name, address: `${socket ?? `${host}:${port}`}/${database}`, isPlain: mode === 'disable' },
    caFile,
    password,
    config: {
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
  if (mode === 'verify-ca') return { rejectUnauthorized: true, verifyIdentity: false }
  if (mode === 'no-verify') return { rejectUnauthorized: false }
  throw new ConfigurationError(`${name}: sslmode=${mode} is unknown. Use verify-full, verify-ca, no-verify or disable.`)
}
