import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Database, database, knownDatabases } from 'dray/internal/active-record/database.ts'
import type { ModelTable } from 'dray/internal/active-record/model-table.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'

/**
 * The database of a name, with the project's models declared on it. Throws `Configuration` when neither a model nor the
 * environment knows it.
 */
export async function databaseNamed(name: string, project: LoadedProject): Promise<Database> {
  await loadModels(project)
  const names = [...new Set([...Object.keys(project.databases), ...knownDatabases().map((known) => known.name)])]
  if (names.includes(name) || process.env[urlVariable(name)]) return database(name)
  throw new ConfigurationError(
    `There is no database ${name}: the project has ${names.join(', ')}; use one of these or set ${urlVariable(name)}.`,
  )
}

/** The models that the project declares, of all of its databases. */
export async function declaredModels(project: LoadedProject): Promise<readonly ModelTable[]> {
  await loadModels(project)
  return knownDatabases().flatMap((known) => known.models)
}

async function loadModels(project: LoadedProject): Promise<void> {
  const folder = join(project.folder, 'shared/models')
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'))
  await Promise.all(files.map((file) => import(pathToFileURL(join(folder, file)).href)))
}
