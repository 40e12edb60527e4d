import { ConfigurationError } from '#dray/errors.ts'
import { queryOf, type SqlTemplate } from './query.ts'
import type { Query } from './table-definition.ts'

/** The SELECT of a model. Throws `Configuration` for what no run could read. */
export function sourceQueryOf(template: SqlTemplate, database: string, name: string): Query {
  try {
    const query = queryOf(template, { database, gives: '', elsewhere: 'read one of them by a pipeline apart' })
    const other = query.tables.find((one) => one.query !== undefined)
    if (other === undefined) return query
    throw new ConfigurationError(
      `it names ${other.table}, which is a query and no table; write its SELECT in it, as by with … as (select …)`,
    )
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ConfigurationError(`sourceQuery('${name}'): ${error.message}`, { cause: error })
  }
}
