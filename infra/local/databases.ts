import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Database, database, knownDatabases, urlVariable } from '#shared/active-record/database.ts'
import { ConfigurationError } from '#shared/active-record/errors.ts'
import { projectFolder } from './home.ts'
import { embeddedDatabases } from './services.ts'

/**
 * The database of a name, with the project's models declared on it. Throws `Configuration` when neither a model nor the
 * environment knows it.
 */
export async function databaseNamed(name: string): Promise<Database> {
  await loadModels()
  const names = [...new Set([...Object.keys(embeddedDatabases), ...knownDatabases().map((known) => known.name)])]
  if (names.includes(name) || process.env[urlVariable(name)]) return database(name)
  throw new ConfigurationError(
    `There is no database ${name}: the project has ${names.join(', ')}; use one of these or set ${urlVariable(name)}.`,
  )
}

async function loadModels(): Promise<void> {
  const folder = join(projectFolder, 'shared/models')
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'))
  await Promise.all(files.map((file) => import(pathToFileURL(join(folder, file)).href)))
}
