import type { Fields, ValueOf } from 'dray/internal/active-record/fields.ts'
import {
  type ColumnDefinition,
  columnOf,
  type TableDefinition,
  valueToText,
} from 'dray/internal/active-record/table-definition.ts'
import type { DateText, Decimal, JsonText, Timestamp } from 'dray/internal/active-record/values.ts'
import type { Text } from 'dray/internal/block/block.ts'
import { ConfigurationError, DataQualityError } from 'dray/internal/errors.ts'

type Plain<V> = V extends Decimal | DateText | Timestamp | JsonText ? string : V

/** A row as a test writes it, by property: exact values are plain texts, and what is left out is NULL. */
export type TestRow<F extends Fields> = { readonly [K in keyof F]?: Plain<ValueOf<F[K]>> | null }

export type Values = Readonly<Record<string, unknown>>

const NO_TEXTS: ReadonlySet<string> = new Set(['bigint', 'integer', 'double', 'boolean', 'binary'])
const EXAMPLES: Readonly<Record<string, string>> = {
  bigint: '7n',
  integer: '7',
  double: '1.5',
  boolean: 'true',
  binary: "Buffer.from('00ff', 'hex')",
  decimal: "'19.90'",
  date: "'2026-01-31'",
  timestamp: "'2026-01-31 23:30:00'",
  json: `'{"a":1}'`,
  uuid: "'00000000-0000-4000-8000-000000000000'",
}

/** The texts of a row in the order of the columns. Throws `Configuration` for what is no field, or no such value. */
export function textsOf(definition: TableDefinition, values: Values, what: string): readonly Text[] {
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new ConfigurationError(`${what}: a row is an object of fields, { id: 1n }, and this is ${String(values)}`)
  for (const name of Object.keys(values)) columnOf(definition, name)
  return definition.columns.map((column) => textOf(column, values[column.name], what))
}

function textOf(column: ColumnDefinition, value: unknown, what: string): Text {
  const { kind } = column.field.settings
  try {
    if (value !== null && value !== undefined && !NO_TEXTS.has(kind) && typeof value !== 'string') {
      const shown = value instanceof Date ? 'a Date' : `the ${typeof value} ${String(value)}`
      throw new DataQualityError(column.name, `invalid_${kind}`, `${column.name}: ${shown} is not a ${kind}`)
    }
    return valueToText(column, value)
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    const example = EXAMPLES[kind] ?? "'text'"
    throw new ConfigurationError(`${what}: ${error.message}; a ${kind} is written as ${example}`, { cause: error })
  }
}
