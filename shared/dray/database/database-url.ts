import { ConfigurationError } from '#dray/errors.ts'

/** How a database's URL may begin. */
export const URL_FORMS = 'postgres://user@host/database, mysql://user@host/database or sqlite:path/to/file.db'

const URL_SUFFIX = '_DATABASE_URL'
const SECRET_SUFFIX = '_DATABASE_URL_SECRET_ARN'
const IAM_SUFFIX = '_DATABASE_IAM'
const TLS_SUFFIX = '_DATABASE_TLS'
/** What that one holds where the URL alone says whether TLS is used and verified. */
export const TLS_BY_URL = 'by-url'

/** The environment variable that binds a database's name to its URL: `shop` → `SHOP_DATABASE_URL`. */
export function urlVariable(name: string): string {
  return inVariables(name) + URL_SUFFIX
}

/** The one that holds the ARN of a secret with that URL: `shop` → `SHOP_DATABASE_URL_SECRET_ARN`. */
export function secretVariable(name: string): string {
  return inVariables(name) + SECRET_SUFFIX
}

/** The one that is `true` where the database is signed in to by IAM: `shop` → `SHOP_DATABASE_IAM`. */
export function iamVariable(name: string): string {
  return inVariables(name) + IAM_SUFFIX
}

/** The one that says who decides about TLS on AWS: `shop` → `SHOP_DATABASE_TLS`. */
export function tlsVariable(name: string): string {
  return inVariables(name) + TLS_SUFFIX
}

/**
 * Whether a URL may neither turn off TLS nor its check: one of a secret, which others write than those who write the
 * environment's code. That code may leave it to the URL.
 */
export function mustVerify(name: string, environment: NodeJS.ProcessEnv = process.env): boolean {
  const isOnAws = Boolean(environment[secretVariable(name)]) || environment[iamVariable(name)] === 'true'
  return isOnAws && environment[tlsVariable(name)] !== TLS_BY_URL
}

/** Throws `Configuration` for a URL that would turn off what the environment demands. */
export function checkTls({ name, verified }: { name: string; verified?: boolean }, mode: string): void {
  if (!verified || ['verify-full', 'require', 'prefer'].includes(mode)) return
  throw new ConfigurationError(
    `The URL of database ${name} asks for sslmode=${mode}, and the environment demands TLS whose certificate is verified, so it was not connected to; take sslmode out of the URL in its secret, or write tls: '${TLS_BY_URL}' at ${name} in infra/environments.ts and deploy`,
  )
}

/** What to do about a URL in which a part of the password would be taken for a host, a path or a parameter. */
export const UNESCAPED =
  'holds a character that has a meaning in URLs, so that a part of the password would be taken for something else; write @ as %40, / as %2F, ? as %3F, # as %23 and % as %25'

/** Whether an `@`, `#` or `%` of a URL is not escaped, so that its parts are other ones than they seem. */
export function isUnescaped(url: string): boolean {
  const [, authority = '', rest = ''] = /^[a-z]+:\/\/([^/?#]*)(.*)$/is.exec(url) ?? []
  return rest.includes('@') || rest.includes('#') || !isDecodable(authority + rest)
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** The databases whose URL is in a secret, with its ARN. */
export function databasesBySecret(environment: NodeJS.ProcessEnv): [name: string, arn: string][] {
  return bySuffix(environment, SECRET_SUFFIX)
}

/** The databases that are signed in to by IAM. */
export function databasesByIam(environment: NodeJS.ProcessEnv): string[] {
  return bySuffix(environment, IAM_SUFFIX).flatMap(([name, value]) => (value === 'true' ? [name] : []))
}

function bySuffix(environment: NodeJS.ProcessEnv, suffix: string): [string, string][] {
  return Object.entries(environment).flatMap(([variable, value]) => {
    if (!variable.endsWith(suffix) || !value) return []
    return [[variable.slice(0, -suffix.length).toLowerCase().replaceAll('_', '-'), value] as [string, string]]
  })
}

function inVariables(name: string): string {
  return name.toUpperCase().replaceAll('-', '_')
}

/** The URL that the environment binds to a name. Throws `Configuration` when there is none. */
export function databaseUrl(name: string): string {
  const variable = urlVariable(name)
  const url = process.env[variable]
  if (url !== undefined && url !== '') return url
  throw new ConfigurationError(
    `${variable} is not set, so the database ${name} cannot be reached; set it to ${URL_FORMS}`,
  )
}
