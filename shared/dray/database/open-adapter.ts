import { ConfigurationError } from '#dray/errors.ts'
import type { Adapter, AdapterOptions } from './adapter.ts'
import { URL_FORMS, urlVariable } from './database-url.ts'

/** Loads the engine that the URL names, and no other. Throws `Configuration` when it names none. */
export async function openAdapter(options: AdapterOptions): Promise<Adapter> {
  const scheme = /^([a-z]+):/.exec(options.url)?.[1]
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      return (await import('./postgres/index.ts')).createPostgresAdapter(options)
    case 'mysql':
    case 'mariadb':
      return (await import('./mysql/index.ts')).createMysqlAdapter(options)
    case 'sqlite':
      return (await import('./sqlite/index.ts')).createSqliteAdapter(options)
    default:
      throw new ConfigurationError(
        `${urlVariable(options.name)} is not a database URL, so ${options.name} cannot be reached; set it to ${URL_FORMS}`,
      )
  }
}
