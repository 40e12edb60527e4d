import { ConfigurationError } from '#dray/errors.ts'

/** How a database's URL may begin. */
export const URL_FORMS = 'postgres://user@host/database, mysql://user@host/database or sqlite:path/to/file.db'

const URL_SUFFIX = '_DATABASE_URL'
const SECRET_SUFFIX = '_DATABASE_URL_SECRET_ARN'
const IAM_SUFFIX = '_DATABASE_IAM'

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
