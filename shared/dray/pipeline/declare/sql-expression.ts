import type { AnyField } from '#dray/active-record/fields.ts'
import { Field } from '#dray/active-record/fields.ts'
import { isTemplate } from '#dray/active-record/query.ts'
import type { TableDefinition } from '#dray/active-record/table-definition.ts'
import { bound } from '#dray/database/statement.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { FilterPart } from './row-filter.ts'
import { NAMED_MOMENT, volatileIn } from './volatile-sql.ts'

declare const result: unique symbol

/** SQL that gives a value of a row; its fields are those of a model, and any other value is bound. */
export interface SqlExpression<T = unknown> {
  readonly [result]?: T
  readonly code: readonly string[]
  readonly values: readonly unknown[]
}

/**
 * SQL of the source's engine, for a cursor. A field of the model is written as its column, in the engine's quotes;
 * other values are bound.
 *
 * @example
 * sql<Timestamp>`greatest(${SourceOrder.fields.updatedAt}, ${SourceOrder.fields.shippedAt})`
 */
export function sql<T>(code: TemplateStringsArray, ...values: unknown[]): SqlExpression<T> {
  return { code, values }
}

export function isSqlExpression(value: unknown): value is SqlExpression {
  return isTemplate(value)
}

/**
 * Throws `Configuration` for a field of another model, for SQL without any or with a clock, and for values that cannot
 * be bound.
 */
export function expressionParts({ code, values }: SqlExpression, definition: TableDefinition): readonly FilterPart[] {
  const parts = code.flatMap((text, place): FilterPart[] => {
    const rest: FilterPart[] = text === '' ? [] : [{ kind: 'sql', text }]
    return place === 0 ? rest : [partOf(values[place - 1], definition), ...rest]
  })
  if (/;|--|\/\*/.test(code.join('')) || !parts.some(({ kind }) => kind === 'column')) {
    throw new ConfigurationError(
      `the expression ${code.join('…')} is to be one expression, without ";" or a comment, that names at least one field of the model; write it as sql\`coalesce(\${Source.fields.updatedAt}, …)\``,
    )
  }
  const volatile = volatileIn(code.join(' ? ')) ?? values.find((value) => NAMED_MOMENT.test(String(value)))
  if (volatile === undefined) return parts
  throw new ConfigurationError(
    `the expression ${code.join('…')} gives another value each time it is asked (${volatile}), so a row may be in no window, or in each; write what the row itself holds, and leave rows without it to nulls: 'include' or 'exclude'`,
  )
}

/** The SQL with the names of its columns, as messages call it. */
export function expressionName(parts: readonly FilterPart[]): string {
  const names = parts.map((part) =>
    part.kind === 'sql' ? part.text : part.kind === 'column' ? part.column.column : '?',
  )
  return names.join('').trim()
}

function partOf(value: unknown, definition: TableDefinition): FilterPart {
  if (value === undefined) {
    throw new ConfigurationError(
      `a value of the expression is undefined, as a misspelt field of ${definition.table} is; name the field as Source.fields.updatedAt`,
    )
  }
  if (!(value instanceof Field)) return { kind: 'cast', value: bound(value) }
  const [column, other] = definition.columns.filter(({ field }) => field === (value as unknown as AnyField))
  if (column !== undefined && other === undefined) return { kind: 'column', column }
  throw new ConfigurationError(
    other === undefined
      ? `a field of the expression is none of ${definition.table}; take it from that model, as in Source.fields.updatedAt`
      : `${column?.name} and ${other.name} of ${definition.table} are declared by one field, so it is not known which of them is meant; declare each by its own`,
  )
}
