import { type RawBuilder, sql } from 'kysely'
import type { Text } from '#dray/block/block.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import { bound } from '#dray/database/statement.ts'
import { tableParts } from '#dray/database/table-name.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { ColumnDefinition, LandedRows, Query, TableDefinition } from './table-definition.ts'
import { columnOf, valueToText } from './table-definition.ts'

/** Keys of one statement. Those of several columns are alternatives, which SQLite nests at most 1,000 deep. */
export const KEYS_AT_ONCE = 500

/** Conditions: an object of values (an array means IN, null IS NULL), or SQL with `?` and its values. */
export type Conditions = Readonly<Record<string, unknown>> | readonly [string, ...unknown[]]

/** `table` or `schema.table`, quoted part by part; a query in parentheses, by its name. */
export function tableName({ table, query }: Pick<TableDefinition, 'table' | 'query'>): RawBuilder<unknown> {
  const name = sql.id(...tableParts(table))
  return query === undefined ? name : sql`(${querySql(query)}) as ${name}`
}

/** The SELECT of a query; `since` is the condition for rows that have landed, all of them unless it is given. */
export function querySql(
  { parts }: Pick<Query, 'parts'>,
  since: ReadonlyMap<LandedRows, RawBuilder<unknown>> = new Map(),
): RawBuilder<unknown> {
  const written = parts.map((part) => {
    switch (part.kind) {
      case 'sql':
        return sql.raw(part.text)
      case 'table':
        return tableName(part.definition)
      case 'column':
        return columnName(part.column)
      case 'landed':
        return since.get(part.landed) ?? sql`(1 = 1)`
      case 'value':
        return sql`${part.value}`
      default:
        return part satisfies never
    }
  })
  return sql.join(written, sql.raw(''))
}

export function columnName(column: Pick<ColumnDefinition, 'column'>): RawBuilder<unknown> {
  return sql.id(column.column)
}

/** A column in a list of what is read: a FLOAT that would be written short as a DOUBLE, with all of its digits. */
export function readColumn(adapter: Adapter, column: ColumnDefinition): RawBuilder<unknown> {
  const name = columnName(column)
  return adapter.floatDigits !== null && column.field.settings.kind === 'double' ? sql`${name} * 1e0 as ${name}` : name
}

const HAS_OFFSET = /[+-]\d{2}(?::?\d{2}){0,2}(?: BC)?$|infinity$/
const INFINITE = /^-?Infinity$/
const HEXADECIMAL = /^\\x(?:[0-9a-f]{2})*$/i

/** A column's text as a statement gives it to the database: instants in UTC, bytes as bytes. */
export function textFor(adapter: Adapter, column: ColumnDefinition, text: Text): RawBuilder<unknown> {
  const { kind } = column.field.settings
  if (text === null) return sql`${text}`
  if (kind === 'timestamp') return momentFor(adapter, text)
  if (kind === 'binary' && HEXADECIMAL.test(text)) return sql`${Buffer.from(text.slice(2), 'hex')}`
  if (kind === 'boolean' && adapter.booleansAreNumbers) return sql.raw(column.field.settings.cast(text) ? '1' : '0')
  // A YEAR of MySQL's takes the text for 2000.
  if ((kind === 'integer' || kind === 'bigint') && text === '0') return sql.raw('0')
  if (kind === 'double' && adapter.infinity !== null && INFINITE.test(text))
    return sql.raw(text.replace('Infinity', adapter.infinity))
  return sql`${text}`
}

/** A moment in UTC, or the time of a clock, as a statement gives it to the database. */
export function momentFor(adapter: Adapter, text: string): RawBuilder<unknown> {
  return sql`${adapter.instantsNeedOffset ? withOffset(text) : text}`
}

function withOffset(text: string): string {
  if (HAS_OFFSET.test(text.slice(10)) || text.endsWith('infinity')) return text
  return text.endsWith(' BC') ? `${text.slice(0, -3)}+00 BC` : `${text}+00`
}

/** A field's value as its column is given it, and compared with. */
export function boundValue(adapter: Adapter, column: ColumnDefinition, value: unknown): RawBuilder<unknown> {
  return textFor(adapter, column, valueToText(column, value))
}

/** Compares a column with a value, whatever the engine makes of NULL. */
export function equals(adapter: Adapter, column: ColumnDefinition, value: unknown): RawBuilder<unknown> {
  if (value === null || value === undefined) return adapter.isNull(columnName(column))
  return sql`${columnName(column)} = ${boundValue(adapter, column, value)}`
}

function inList(adapter: Adapter, column: ColumnDefinition, values: readonly unknown[]): RawBuilder<unknown> {
  const present = values.filter((value) => value !== null && value !== undefined)
  const parts: RawBuilder<unknown>[] = []
  if (present.length > 0) {
    parts.push(sql`${columnName(column)} in (${sql.join(present.map((value) => boundValue(adapter, column, value)))})`)
  }
  if (present.length < values.length) parts.push(adapter.isNull(columnName(column)))
  return parts.length === 0 ? sql`1 = 0` : sql`(${sql.join(parts, sql` or `)})`
}

/**
 * SQL with `?` for values; a `?` inside quotes is text. Without a `?` it is refused: it may be a text of a request that
 * came as a list, and would be run as SQL.
 */
function fragment(text: string, values: readonly unknown[]): RawBuilder<unknown> {
  let next = 0
  return sql`(${sql.join(
    checkedParts(text, values).map((part) =>
      part === '?' ? sql`${bound(defined(text, values[next++]))}` : sql.raw(part),
    ),
    sql.raw(''),
  )})`
}

/** The parts of SQL with a `?` for each value: what is quoted, each `?`, and what is between them. */
export function checkedParts(text: string, values: readonly unknown[]): string[] {
  const parts = text.match(/'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\?|[^'"`?]+|['"`]/g) ?? []
  const given = parts.filter((part) => part === '?').length
  if (given === 0) {
    throw new ConfigurationError(
      `the condition "${text}" has no placeholder, and the first element of a list is run as SQL; compare with a value, as in ['status = ?', 'open'], or give an object: { status: 'open' }`,
    )
  }
  if (given !== values.length) {
    throw new ConfigurationError(
      `the condition "${text}" has ${given} placeholders and ${values.length} values; give one each`,
    )
  }
  checkWhole(text, parts)
  return parts
}

/** The parentheses around it must be those that close it, whatever a text is put together from. */
function checkWhole(text: string, parts: readonly string[]): void {
  const code = parts.filter((part) => !/^['"`]./s.test(part)).join(' ')
  let depth = 0
  let least = 0
  for (const character of code) {
    if (character === '(') depth += 1
    else if (character === ')') depth -= 1
    least = Math.min(least, depth)
  }
  if (depth === 0 && least === 0 && !/['"`;]|--|\/\*/.test(code)) return
  throw new ConfigurationError(
    `the condition "${text}" is not one expression: its parentheses and quotes have to match, and it holds no ";" and no comment; correct it`,
  )
}

/** Taken for NULL, `undefined` would choose rows that nobody has asked for. */
export function defined<T>(where: string, value: T): T {
  if (value !== undefined) return value
  throw new ConfigurationError(
    `the condition on ${where} has the value undefined, as a misspelt property has; give a value, null for NULL, or leave the condition out`,
  )
}

/**
 * Throws `Configuration` for conditions that say nothing, or something else than they seem to: `undefined`, a Map, an
 * object of a class, whose fields are not its own.
 */
export function checkConditions(conditions: unknown): asserts conditions is Conditions {
  if (Array.isArray(conditions) ? typeof conditions[0] === 'string' : isPlainObject(conditions)) return
  throw new ConfigurationError(
    `conditions are an object of values, as { status: 'open' }, or SQL with its values, as ['status = ?', 'open'], and were given as ${kindOf(conditions)}; for all rows call it without any, or all()`,
  )
}

export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** What a value is, in words that hold nothing of it. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${typeof value[0]}`
  if (typeof value !== 'object') return `a ${typeof value}`
  return `an object of ${Object.getPrototypeOf(value)?.constructor?.name ?? 'no class'}`
}

export function condition(adapter: Adapter, definition: TableDefinition, conditions: Conditions): RawBuilder<unknown> {
  if (Array.isArray(conditions)) {
    const [text, ...values] = conditions as readonly [string, ...unknown[]]
    return fragment(text, values)
  }
  const parts = Object.entries(conditions).map(([name, value]) => {
    const column = columnOf(definition, name)
    if (!Array.isArray(value)) return equals(adapter, column, defined(name, value))
    return inList(
      adapter,
      column,
      value.map((one) => defined(name, one)),
    )
  })
  return parts.length === 0 ? sql`1 = 1` : sql.join(parts, sql` and `)
}

export function where(parts: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return parts.length === 0 ? sql`` : sql` where ${sql.join(parts, sql` and `)}`
}
