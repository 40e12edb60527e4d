import { database } from 'dray/internal/active-record/database.ts'
import { tableNameOf, tableText } from 'dray/internal/database/table-name.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { databaseNamed } from '#dray-infra/local/databases.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { askedOf } from './asked-tables.ts'

export interface AskedTarget {
  readonly database: string
  /** Null where the table is named after the source's. */
  readonly table: string | null
}

/** Where rows go: what is named, or the only database of which the project writes tables. */
export async function targetOf(to: string | null, project: LoadedProject): Promise<AskedTarget> {
  if (to !== null) {
    if (/^[a-z][a-z0-9-]*$/.test(to)) return { database: to, table: null }
    const { database: name, table } = askedOf(to)
    return { database: name, table: tableText(tableNameOf(table)) }
  }
  const names = Object.keys(project.databases)
  for (const name of names) await databaseNamed(name, project)
  const written = names.filter((name) => database(name).models.some(({ definition }) => !definition.readOnly))
  const [only] = written.length === 0 ? names.filter((name) => name === 'warehouse') : written
  if (only !== undefined && written.length <= 1) return { database: only, table: null }
  throw new ConfigurationError(
    `${written.length === 0 ? 'The project writes into no database yet' : `The project writes into ${written.join(' and ')}`}, so it is not known where the rows are to go and nothing was written; name it by --to <database>, or --to <database>.<table>.`,
  )
}
