import type { TableDefinition } from '#dray/active-record/table-definition.ts'
import { isUnescaped, urlVariable } from '#dray/database/database-url.ts'
import { tableParts } from '#dray/database/table-name.ts'
import type { DatasetModel } from '#dray/pipeline/declare/dataset-model.ts'
import { facet, type LineageDataset } from './run-event.ts'

interface Place {
  readonly namespace: string
  /** Before the name of each table. */
  readonly prefix: string
  readonly isPostgres: boolean
}

/**
 * A model's table by the naming of OpenLineage, with its columns. A table of PostgreSQL without a schema is taken for
 * one of `public`. Made of the host, the port and the database's name in the URL, never of its user, password or
 * parameters. Null where the function does not know the URL.
 */
export function datasetOf(
  { definition }: DatasetModel,
  environment: NodeJS.ProcessEnv = process.env,
): LineageDataset | null {
  const place = placeOf(environment[urlVariable(definition.database)] ?? '')
  if (place === null) return null
  const { namespace, prefix, isPostgres } = place
  const parts = tableParts(definition.table)
  const table = [...(isPostgres && parts.length === 1 ? ['public'] : []), ...parts].join('.')
  const fields = definition.columns.map(({ column, field: { settings } }) => ({ name: column, type: typeOf(settings) }))
  return {
    namespace,
    name: `${prefix}${table}`,
    facets: {
      dataSource: facet('DatasourceDatasetFacet', '1-0-1', { name: definition.database, uri: namespace }),
      schema: facet('SchemaDatasetFacet', '1-1-1', { fields }),
    },
  }
}

/** The tables of models; of a query those of the models that it names, or itself where it names none. */
export function datasetsOf(models: readonly DatasetModel[]): readonly LineageDataset[] {
  const definitions = new Set(models.flatMap(({ definition }) => tablesOf(definition)))
  return [...definitions].flatMap((definition) => datasetOf({ definition }) ?? [])
}

function tablesOf(definition: TableDefinition): readonly TableDefinition[] {
  const { tables = [] } = definition.query ?? {}
  return tables.length === 0 ? [definition] : tables
}

/** The same, with the rows that were written to it. */
export function writtenDataset(dataset: LineageDataset, rows: number): LineageDataset {
  return {
    ...dataset,
    outputFacets: { outputStatistics: facet('OutputStatisticsOutputDatasetFacet', '1-0-2', { rowCount: rows }) },
  }
}

function placeOf(url: string): Place | null {
  if (/^sqlite:/.test(url)) {
    return { namespace: url.replace(/[?#].*$/s, ''), prefix: '', isPostgres: false }
  }
  const [, scheme, rest = ''] = /^(postgres|mysql|mariadb)(?:ql)?:\/\/(.*)$/s.exec(url) ?? []
  if (scheme === undefined || isUnescaped(url)) return null
  // A user without a host is what a URL of a socket has, and `URL` refuses.
  const parsed = URL.parse(`db://${rest.replace(/^([^/?#]*@)(?=[/?#]|$)/, '$1localhost')}`)
  if (parsed === null) return null
  const isPostgres = scheme === 'postgres'
  const asked = parsed.searchParams.get('host')
  const host = asked === null || asked.startsWith('/') ? parsed.hostname || 'localhost' : asked
  const port = parsed.searchParams.get('port') ?? (parsed.port || (isPostgres ? '5432' : '3306'))
  const database = decodeURIComponent(parsed.pathname.slice(1))
  return {
    namespace: `${isPostgres ? 'postgres' : 'mysql'}://${host}:${port}`,
    prefix: database === '' ? '' : `${database}.`,
    isPostgres,
  }
}

type Settings = DatasetModel['definition']['columns'][number]['field']['settings']

function typeOf({ kind, length, precision, scale }: Settings): string {
  if (kind === 'varchar') return `varchar(${length})`
  if (kind === 'decimal') return `decimal(${precision},${scale})`
  return kind
}
