import { bound } from '#dray/database/statement.ts'
import { ConfigurationError } from '#dray/errors.ts'
import { type AnyField, Field } from './fields.ts'
import type { Query, QueryPart, TableDefinition } from './table-definition.ts'

/** SQL as a template gives it. */
export interface SqlTemplate {
  readonly code: readonly string[]
  readonly values: readonly unknown[]
}

const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`/g
/** PostgreSQL has operators of documents that begin like a comment of MySQL's. */
const NOT_ONE_QUERY = /;|--|\/\*|#(?![>-])/

/**
 * The SELECT of a model, in which another model stands for its table and a field for its column; other values are
 * bound. Throws `Configuration` for what is no one SELECT, and for a model of another database.
 */
export function queryOf({ code, values }: SqlTemplate, database: string, name: string): Query {
  const refuse = (why: string) => new ConfigurationError(`sourceQuery('${name}'): ${why}`)
  const text = code.join(' ? ')
  if (!/^\s*(?:select|with)\b/i.test(text) || NOT_ONE_QUERY.test(text.replace(QUOTED, ' '))) {
    throw refuse(
      `"${text.trim().slice(0, 60)}" is to be one SELECT, without ";" or a comment; write it as sql\`select … from \${Model} where …\``,
    )
  }
  const tables = [...new Set(values.flatMap((value) => modelOf(value) ?? []))]
  for (const { database: other, table, query } of tables) {
    if (query !== undefined)
      throw refuse(
        `it names ${table}, which is a query and no table; write its SELECT in it, as by with … as (select …)`,
      )
    if (other !== database)
      throw refuse(
        `it reads ${other}.${table}, and is asked in ${database}, which does not have that table; read one of them by a pipeline apart`,
      )
  }
  const parts = code.flatMap((piece, place): QueryPart[] => {
    const rest: QueryPart[] = piece === '' ? [] : [{ kind: 'sql', text: piece }]
    return place === 0 ? rest : [partOf(values[place - 1], tables, refuse), ...rest]
  })
  return { parts, text, tables }
}

function modelOf(value: unknown): TableDefinition | null {
  return typeof value === 'function' && 'definition' in value ? (value.definition as TableDefinition) : null
}

function partOf(value: unknown, tables: readonly TableDefinition[], refuse: (why: string) => Error): QueryPart {
  const definition = modelOf(value)
  if (definition !== null) return { kind: 'table', definition }
  if (value instanceof Field) {
    const known = tables.flatMap(({ columns }) => columns)
    const column = known.find(({ field }) => field === (value as unknown as AnyField))
    if (column !== undefined) return { kind: 'column', column }
  }
  if (value === undefined || value instanceof Field) {
    throw refuse(
      `a value of it is ${value === undefined ? 'undefined, as a misspelt field is' : 'a field of a model that it does not name'}; name a field of a model in it, as \${SourceOrder.fields.amount}`,
    )
  }
  return { kind: 'value', value: bound(value) }
}
