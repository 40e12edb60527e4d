import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isUnescaped, UNESCAPED, urlVariable } from 'dray/internal/database/database-url.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Project } from '#dray-infra/project/define-project.ts'
import { makeHome } from './home.ts'
import { makePrivateFile } from './private-files.ts'
import { STATE_TABLE_NAME } from './services-protocol.ts'
import { prepareStateFile } from './state-file.ts'

export interface Services {
  /** Names of the databases that are embedded, since no `<NAME>_DATABASE_URL` was given. */
  readonly embedded: ReadonlySet<string>
  /** What the handlers read: URLs of databases, state table, staging. Also set in `process.env`. */
  readonly environment: Readonly<Record<string, string>>
  /** Gives the services back; they stop with the last command that uses them. */
  stop(): Promise<void>
}

export interface ServicesOptions {
  readonly home: string
  /** The databases of the project. */
  readonly project: Pick<Project, 'databases'>
  /** Databases that are going to be used; all of the project by default. */
  readonly databases?: readonly string[]
  /** The state is not needed to move data by hand. */
  readonly state?: boolean
  /** Called when a server has to be started, so that it takes a moment. */
  readonly onStart?: () => void
}

/**
 * Makes ready what a command needs and tells `process.env` where it is: files, and where a database is on the embedded
 * PostgreSQL, its server, which all commands share. Throws `Configuration`.
 */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { home, project, databases = Object.keys(project.databases), state = true } = options
  const engineOf = (name: string) => project.databases[name]?.embedded
  checkUrls(databases)
  const embedded = new Set(databases.filter((name) => engineOf(name) !== undefined && !process.env[urlVariable(name)]))
  const postgres = [...embedded].filter((name) => engineOf(name) === 'postgres')
  const environment: Record<string, string> = { STATE_TABLE_NAME, STAGING_URL: stagingUrl(home) }
  for (const name of embedded) {
    if (engineOf(name) !== 'sqlite') continue
    const file = join(home, `${name}.db`)
    makeHome(home)
    makePrivateFile(file)
    environment[urlVariable(name)] = `sqlite:${file}`
  }
  let stop = async () => {}
  if (state) environment.STATE_ENDPOINT = await prepareStateFile(home)
  if (postgres.length > 0) {
    const { connectServices } = await import('./services-connection.ts')
    const connection = await connectServices(home, { postgres }, options.onStart)
    for (const [name, url] of Object.entries(connection.postgres)) environment[urlVariable(name)] = url
    stop = () => connection.close()
  }
  Object.assign(process.env, environment)
  return { embedded, environment, stop }
}

/**
 * Whether a URL leads anywhere is found out by its first use; one that cannot be a URL is refused before anything runs.
 */
function checkUrls(databases: readonly string[]): void {
  for (const name of databases) {
    const url = process.env[urlVariable(name)]
    if (url && !url.startsWith('sqlite:') && isUnescaped(url)) {
      throw new ConfigurationError(`${urlVariable(name)} ${UNESCAPED}.`)
    }
    if (
      !url ||
      (/^(postgres|postgresql|mysql|mariadb):\/\/[^/]/.test(url) && URL.canParse(url)) ||
      /^sqlite:./.test(url)
    )
      continue
    throw new ConfigurationError(
      `${urlVariable(name)} is not the URL of a database, so nothing was started; set it to postgres://user@host/database, mysql://user@host/database or sqlite:path/to/file.db, or unset it for the embedded one.`,
    )
  }
}

function stagingUrl(home: string): string {
  makeHome(home)
  const folder = join(home, 'staging')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return pathToFileURL(folder).href
}
