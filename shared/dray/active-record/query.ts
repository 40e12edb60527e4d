import { bound } from '#dray/database/statement.ts'
import { ConfigurationError } from '#dray/errors.ts'
import { type AnyField, Field } from './fields.ts'
import { QUOTED, withoutComments } from './sql-comments.ts'
import { LandedRows, type Query, type QueryPart, type TableDefinition } from './table-definition.ts'

/** SQL as a template gives it; that of another template among the values stands in its place. */
export interface SqlTemplate {
  readonly code: readonly string[]
  readonly values: readonly unknown[]
}

/** What a SELECT is for. */
export interface QueryUse {
  readonly database: string
  /** The rows that it gives, behind `one SELECT`. */
  readonly gives: string
  /** What to do about a table of another database. */
  readonly elsewhere: string
  /** A model whose fields it may name without naming the model. */
  readonly of?: TableDefinition
  readonly hasWindow?: boolean
}

/** Between pieces of SQL, where a value stands; no SQL has it. */
const VALUE = '\0'
/** PostgreSQL has operators of documents that begin like a comment of MySQL's. */
const NOT_ONE_QUERY = /;|--|\/\*|#(?![>-])/

/**
 * A SELECT, in which a model stands for its table and a field for its column; other values are bound, and comments are
 * left out. Throws `Configuration` for what is no one SELECT, and for a model of another database.
 */
export function queryOf(template: SqlTemplate, use: QueryUse): Query {
  const { code: given, values } = flattened(template)
  const sql = withoutComments(given.join(VALUE))
  const code = sql.split(VALUE)
  refuseOther(sql, use.gives)
  if (code.length !== values.length + 1 || (sql.match(QUOTED) ?? []).some((quoted) => quoted.includes(VALUE))) {
    throw new ConfigurationError(
      `a value stands in a comment or in quotes, where it is no value; write it outside of them, as where name = \${name}`,
    )
  }
  if (use.hasWindow !== true && values.some((value) => value instanceof LandedRows)) {
    throw new ConfigurationError('landed() is for the SELECT of a task, which knows when it ran; leave it out')
  }
  const tables = [...new Set(values.flatMap((value) => definitionOf(value) ?? []))]
  for (const { database, table } of tables) {
    if (database === use.database) continue
    throw new ConfigurationError(
      `it reads ${database}.${table}, and is asked in ${use.database}, which does not have that table; ${use.elsewhere}`,
    )
  }
  const parts = code.flatMap((text, place): QueryPart[] => {
    const rest: QueryPart[] = text === '' ? [] : [{ kind: 'sql', text }]
    return place === 0 ? rest : [partOf(values[place - 1], tables, use), ...rest]
  })
  return { parts, text: code.join(' ? '), tables }
}

function refuseOther(sql: string, gives: string): void {
  if (/^\s*(?:select|with)\b/i.test(sql) && !NOT_ONE_QUERY.test(sql.replace(QUOTED, ' '))) return
  throw new ConfigurationError(
    `"${sql.replaceAll(VALUE, ' ? ').trim().slice(0, 60)}" is to be one SELECT, without ";" or a comment (but "-- …" and "/* … */" where no \\' and no $$ is in the SQL)${gives}; write it as sql\`select … from \${Model} where …\``,
  )
}

/** The SQL with that of the templates in it in their places. */
function flattened({ code, values }: SqlTemplate): SqlTemplate {
  const flat = { code: [code[0] ?? ''], values: [] as unknown[] }
  const add = (text: string) => {
    flat.code[flat.code.length - 1] += text
  }
  for (const [place, value] of values.entries()) {
    if (isTemplate(value)) {
      const inner = flattened(value)
      add(inner.code[0] ?? '')
      flat.code.push(...inner.code.slice(1))
      flat.values.push(...inner.values)
      add(code[place + 1] ?? '')
    } else {
      flat.values.push(value)
      flat.code.push(code[place + 1] ?? '')
    }
  }
  return flat
}

export function isTemplate(value: unknown): value is SqlTemplate {
  return typeof value === 'object' && value !== null && 'code' in value && 'values' in value
}

function definitionOf(value: unknown): TableDefinition | null {
  if (value instanceof LandedRows) return value.definition
  return typeof value === 'function' && 'definition' in value ? (value.definition as TableDefinition) : null
}

function partOf(value: unknown, tables: readonly TableDefinition[], { of }: QueryUse): QueryPart {
  if (value instanceof LandedRows) return { kind: 'landed', landed: value }
  const definition = definitionOf(value)
  if (definition !== null) return { kind: 'table', definition }
  if (value instanceof Field) {
    const known = [...(of === undefined ? [] : [of]), ...tables].flatMap(({ columns }) => columns)
    const column = known.find(({ field }) => field === (value as unknown as AnyField))
    if (column !== undefined) return { kind: 'column', column }
  }
  if (value === undefined || value instanceof Field) {
    const [whose, example] = of === undefined ? ['', 'SourceOrder'] : ['the target, or of ', 'Target']
    throw new ConfigurationError(
      `a value of it is ${value === undefined ? 'undefined, as a misspelt field is' : 'a field of a model that it does not name'}; name a field of ${whose}a model in it, as \${${example}.fields.amount}`,
    )
  }
  return { kind: 'value', value: bound(value) }
}
