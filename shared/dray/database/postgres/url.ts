import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import type { ClientConfig } from 'pg'
import { ConfigurationError } from '#dray/errors.ts'
import type { AdapterOptions } from '../adapter.ts'
import { checkTls, isUnescaped, UNESCAPED, urlVariable } from '../database-url.ts'

/** Where a database is, for messages: never the password. */
export interface Place {
  /** The database's name in Dray. */
  readonly name: string
  /** `host:port/database` */
  readonly address: string
  /** The environment variable that binds the name to its URL. */
  readonly variable: string
}

const FORM = 'postgres://user:password@host:5432/database?sslmode=verify-full'
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1|0:0:0:0:0:0:0:1|\/.*)$/i
const PARAMETERS = new Set([
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'host',
  'port',
  'application_name',
  'connect_timeout',
  'options',
])

/** Where a URL points to, and what `pg` connects with. */
export interface Endpoint {
  readonly place: Place
  readonly config: ClientConfig & { host: string; port: number }
}

/** Reads `postgres://user:password@host:port/database?sslmode=…`. Throws `Configuration` when the URL is malformed. */
export function readUrl(options: AdapterOptions): Endpoint {
  const variable = urlVariable(options.name)
  const malformed = (what: string) =>
    new ConfigurationError(`The URL of database ${options.name} ${what}; set ${variable} to ${FORM}`)
  if (isUnescaped(options.url)) throw malformed(UNESCAPED)
  const url = parse(options.url)
  if (url === null) throw malformed('cannot be read')
  const parameters = url.searchParams
  for (const key of parameters.keys()) {
    if (!PARAMETERS.has(key)) throw malformed(`has the unknown parameter "${key}"`)
  }
  const host = parameters.get('host') ?? (decode(url.hostname).replace(/^\[(.*)\]$/, '$1') || 'localhost')
  const port = Number(parameters.get('port') ?? (url.port || 5432))
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw malformed('has no valid port')
  const user = decode(url.username)
  const database = decode(url.pathname.slice(1)) || user
  if (database === '') throw malformed('names no database')
  const timeout = Number(parameters.get('connect_timeout') ?? 10)
  if (!Number.isFinite(timeout)) throw malformed('has no valid connect_timeout')

  const config: Endpoint['config'] = {
    host,
    port,
    database,
    ssl: tls(parameters, { host, ...options }, malformed),
    application_name: parameters.get('application_name') ?? 'dray',
    connectionTimeoutMillis: timeout * 1000,
    keepAlive: true,
  }
  if (user !== '') config.user = user
  const password = options.password ?? (url.password === '' ? undefined : decode(url.password))
  if (password !== undefined) config.password = password
  const startup = parameters.get('options')
  if (startup !== null) config.options = startup
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`
  return { config, place: { name: options.name, address, variable } }
}

function parse(text: string): URL | null {
  // With fewer slashes the user and the password would be a path, which messages show.
  if (!/^postgres(?:ql)?:\/\//i.test(text)) return null
  // `postgres:///database?host=/socket` has no host, which URL refuses when there is a user.
  return URL.parse(text.replace(/^(postgres(?:ql)?:\/\/[^/?#]*@)(?=[/?#]|$)/i, '$1localhost'))
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Verified by default, except on the machine itself; `require` and `prefer` verify too. */
function tls(
  parameters: URLSearchParams,
  { host, ...options }: AdapterOptions & { readonly host: string },
  malformed: (what: string) => Error,
): boolean | ConnectionOptions {
  const isPlain = LOOPBACK.test(host) && !options.verified
  const mode = parameters.get('sslmode') ?? (isPlain ? 'disable' : 'verify-full')
  checkTls(options, mode)
  if (mode === 'disable') return false
  const settings: ConnectionOptions = {}
  const read = (key: string) => {
    const path = parameters.get(key)
    if (path === null) return undefined
    try {
      return readFileSync(path, 'utf8')
    } catch {
      throw malformed(`names a file in ${key} that cannot be read`)
    }
  }
  const [ca, cert, key] = [read('sslrootcert'), read('sslcert'), read('sslkey')]
  if (ca !== undefined) settings.ca = ca
  if (cert !== undefined) settings.cert = cert
  if (key !== undefined) settings.key = key
  switch (mode) {
    case 'prefer':
    case 'require':
    case 'verify-full':
      return settings
    case 'verify-ca':
      return { ...settings, checkServerIdentity: () => undefined }
    case 'no-verify':
      return { ...settings, rejectUnauthorized: false }
    default:
      throw malformed(`has the unknown sslmode "${mode}" (use verify-full, verify-ca, require, no-verify or disable)`)
  }
}
