import type { Database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { databaseNamed } from '#dray-infra/local/databases.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { knownPipelines } from './known-pipelines.ts'
import { describeTable, listTables } from './live-table.ts'

/** A table to choose from. */
export interface ListedChoice {
  readonly table: string
  readonly isView: boolean
  readonly rows: number | null
  readonly key: readonly string[]
  /** Time stamps and numbers of transactions by which changed rows could be read. */
  readonly cursors: readonly string[]
  /** The pipeline that reads it. */
  readonly pipeline: string | null
}

export interface ListedDatabase {
  readonly database: string
  readonly tables: readonly ListedChoice[]
  /** Why it could not be read. */
  readonly fault: string | null
}

/** What each database of the project has, and each that the environment alone binds. */
export async function listedDatabases(project: LoadedProject): Promise<readonly ListedDatabase[]> {
  const pipelines = await knownPipelines(project)
  const listed: ListedDatabase[] = []
  for (const name of [...Object.keys(project.databases), ...boundAlone(project)]) {
    const of = (table: string) =>
      pipelines.find(({ pipeline: { extract } }) => {
        const { definition } = extract.source
        return definition.database === name && definition.table === table
      })?.pipeline.name ?? null
    const found = databaseNamed(name, project).then((one) => choices(one, of))
    const tables = await found.catch((error: Error) => error.message)
    if (typeof tables === 'string') listed.push({ database: name, tables: [], fault: tables })
    else listed.push({ database: name, tables, fault: null })
  }
  return listed
}

/** Databases with a URL that the project does not name yet, as `dray add` would call them. */
function boundAlone({ databases }: LoadedProject): string[] {
  const named = new Set(Object.keys(databases).map(urlVariable))
  return Object.entries(process.env)
    .filter(([variable, url]) => url && /^[A-Z]\w*_DATABASE_URL$/.test(variable) && !named.has(variable))
    .map(([variable]) =>
      variable
        .replace(/_DATABASE_URL$/, '')
        .toLowerCase()
        .replaceAll('_', '-'),
    )
    .sort()
}

async function choices(database: Database, pipelineOf: (table: string) => string | null): Promise<ListedChoice[]> {
  const tables: ListedChoice[] = []
  for (const { table, isView, rows } of await listTables(database)) {
    const { key, cursors } = await describeTable(database, table)
    tables.push({ table, isView, rows, key, cursors, pipeline: pipelineOf(table) })
  }
  return tables
}
