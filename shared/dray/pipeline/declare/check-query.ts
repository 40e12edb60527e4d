import type { AnyField } from '#dray/active-record/fields.ts'
import { Field } from '#dray/active-record/fields.ts'
import type { ColumnDefinition, TableDefinition } from '#dray/active-record/table-definition.ts'
import type { Bound } from '#dray/database/adapter.ts'
import { bound } from '#dray/database/statement.ts'
import { ConfigurationError } from '#dray/errors.ts'
import { LandedRows } from './landed-rows.ts'
import { isSqlExpression, type SqlExpression } from './sql-expression.ts'

/**
 * A piece of a SELECT: SQL as it is, the table of a model, a column of one, a condition for rows that have landed since
 * the task ran, or a value that is bound.
 */
export type QueryPart =
  | { readonly kind: 'sql'; readonly text: string }
  | { readonly kind: 'table'; readonly definition: TableDefinition }
  | { readonly kind: 'column'; readonly column: ColumnDefinition }
  | { readonly kind: 'landed'; readonly landed: LandedRows }
  | { readonly kind: 'value'; readonly value: Bound }

/** What a query is for, in its messages. */
interface QueryUse {
  /** Behind `one SELECT`. */
  readonly gives: string
  readonly hasWindow: boolean
}

const CHECK: QueryUse = { gives: 'that gives the rows at fault', hasWindow: false }

/** Throws `Configuration` for what is no one SELECT, and for a model of another database. */
export function queryParts(
  expression: SqlExpression,
  target: TableDefinition,
  { gives, hasWindow }: QueryUse = CHECK,
): readonly QueryPart[] {
  const { code, values } = flattened(expression)
  const text = code.join(' ? ')
  const quoted = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`/g
  if (!/^\s*(?:select|with)\b/i.test(text) || /;|--|\/\*|#/.test(text.replace(quoted, ' '))) {
    throw new ConfigurationError(
      `"${text.trim().slice(0, 60)}" is to be one SELECT, without ";" or a comment, ${gives}; write it as sql\`select … from \${Model} where …\``,
    )
  }
  const definitions = [target, ...values.flatMap((value) => modelOf(value) ?? [])]
  if (!hasWindow && values.some((value) => value instanceof LandedRows)) {
    throw new ConfigurationError('landed() is for the SELECT of a task, which knows when it ran; leave it out')
  }
  for (const { database, table } of definitions) {
    if (database === target.database) continue
    throw new ConfigurationError(
      `it reads ${database}.${table}, and is asked in ${target.database}, which does not have that table; check it where it is written`,
    )
  }
  return code.flatMap((text, place): QueryPart[] => {
    const rest: QueryPart[] = text === '' ? [] : [{ kind: 'sql', text }]
    return place === 0 ? rest : [partOf(values[place - 1], definitions), ...rest]
  })
}

/** The SQL with that of the expressions in it in their places. */
function flattened({ code, values }: SqlExpression): SqlExpression {
  const flat = { code: [code[0] ?? ''], values: [] as unknown[] }
  const add = (text: string) => {
    flat.code[flat.code.length - 1] += text
  }
  for (const [place, value] of values.entries()) {
    if (isSqlExpression(value)) {
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

/** The tables of the models that a query names. */
export function tablesIn(expression: SqlExpression): readonly TableDefinition[] {
  const { values } = flattened(expression)
  return [...new Set(values.flatMap((value) => modelOf(value) ?? []))]
}

function modelOf(value: unknown): TableDefinition | null {
  if (value instanceof LandedRows) return value.definition
  return typeof value === 'function' && 'definition' in value ? (value.definition as TableDefinition) : null
}

function partOf(value: unknown, definitions: readonly TableDefinition[]): QueryPart {
  if (value instanceof LandedRows) return { kind: 'landed', landed: value }
  const definition = modelOf(value)
  if (definition !== null) return { kind: 'table', definition }
  if (value instanceof Field) {
    const known = definitions.flatMap(({ columns }) => columns)
    const column = known.find(({ field }) => field === (value as unknown as AnyField))
    if (column !== undefined) return { kind: 'column', column }
  }
  if (value === undefined || value instanceof Field) {
    throw new ConfigurationError(
      `a value of it is ${value === undefined ? 'undefined, as a misspelt field is' : 'a field of a model that it does not name'}; name a field of the target, or of a model in it, as \${Target.fields.amount}`,
    )
  }
  return { kind: 'value', value: bound(value) }
}
