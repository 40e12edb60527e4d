import type { AnyField } from '#dray/active-record/fields.ts'
import { Field } from '#dray/active-record/fields.ts'
import type { ColumnDefinition, TableDefinition } from '#dray/active-record/table-definition.ts'
import type { Bound } from '#dray/database/adapter.ts'
import { bound } from '#dray/database/statement.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { SqlExpression } from './sql-expression.ts'

/** A piece of a SELECT: SQL as it is, the table of a model, a column of one, or a value that is bound. */
export type QueryPart =
  | { readonly kind: 'sql'; readonly text: string }
  | { readonly kind: 'table'; readonly definition: TableDefinition }
  | { readonly kind: 'column'; readonly column: ColumnDefinition }
  | { readonly kind: 'value'; readonly value: Bound }

/** Throws `Configuration` for what is no one SELECT, and for a model of another database. */
export function queryParts({ code, values }: SqlExpression, target: TableDefinition): readonly QueryPart[] {
  const text = code.join(' ? ')
  const quoted = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`/g
  if (!/^\s*(?:select|with)\b/i.test(text) || /;|--|\/\*|#/.test(text.replace(quoted, ' '))) {
    throw new ConfigurationError(
      `"${text.trim().slice(0, 60)}" is to be one SELECT, without ";" or a comment, that gives the rows at fault; write it as sql\`select … from \${Model} where …\``,
    )
  }
  const definitions = [target, ...values.flatMap((value) => modelOf(value) ?? [])]
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

function modelOf(value: unknown): TableDefinition | null {
  return typeof value === 'function' && 'definition' in value ? (value.definition as TableDefinition) : null
}

function partOf(value: unknown, definitions: readonly TableDefinition[]): QueryPart {
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
