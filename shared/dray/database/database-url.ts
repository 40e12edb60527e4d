import { ConfigurationError } from '#dray/errors.ts'

/** How a database's URL may begin. */
export const URL_FORMS = 'postgres://user@host/database, mysql://user@host/database or sqlite:path/to/file.db'

/** The environment variable that binds a database's name to its URL: `shop` → `SHOP_DATABASE_URL`. */
export function urlVariable(name: string): string {
  return `${name.toUpperCase().replaceAll('-', '_')}_DATABASE_URL`
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
