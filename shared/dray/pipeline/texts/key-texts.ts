import { type RawBuilder, sql } from 'kysely'
import { columnName } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, columnOf, type TableDefinition, textFor } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import type { Adapter, Dialect } from '#dray/database/adapter.ts'
import { canonicalText } from './canonical.ts'

/** Keys of one statement: SQLite nests conditions at most 1,000 deep. */
export const KEYS_AT_ONCE = 200

export function columnsOf(definition: TableDefinition, names: readonly string[]): readonly ColumnDefinition[] {
  return names.map((name) => columnOf(definition, name))
}

/** Rows that have one of these keys. An engine's collation may take other keys for the same: look at what comes back. */
export function hasKey(
  adapter: Adapter,
  columns: readonly ColumnDefinition[],
  keys: readonly (readonly Text[])[],
): RawBuilder<unknown> {
  const value = (column: ColumnDefinition, text: Text | undefined) =>
    sql`${textFor(adapter.dialect, column, text ?? null)}`
  const [only] = columns
  if (columns.length === 1 && only !== undefined) {
    return sql`${columnName(only)} in (${sql.join(keys.map(([text]) => value(only, text)))})`
  }
  const equal = (key: readonly Text[]) =>
    columns.map((column, place) => sql`${columnName(column)} = ${value(column, key[place])}`)
  const alternatives = keys.map((key) => sql`(${sql.join(equal(key), sql` and `)})`)
  return sql`(${sql.join(alternatives, sql` or `)})`
}

/** A key's canonical texts. */
export function canonicalKey(columns: readonly ColumnDefinition[], texts: readonly Text[]): Text[] {
  return columns.map((column, place) => canonicalText(column, texts[place] ?? null))
}

type Order = Readonly<Record<Dialect, (column: ColumnDefinition) => RawBuilder<unknown>>>

const BY_BYTES: Order = {
  postgres: (column) => sql`cast(${columnName(column)} as text) collate "C"`,
  mysql: (column) => sql`cast(convert(${columnName(column)} using utf8mb4) as binary)`,
  sqlite: (column) => sql`cast(${columnName(column)} as text) collate binary`,
}

const BY_LOWER_CASE: Order = {
  postgres: (column) => sql`lower(cast(${columnName(column)} as text)) collate "C"`,
  mysql: (column) => sql`cast(lower(convert(${columnName(column)} using utf8mb4)) as binary)`,
  sqlite: (column) => sql`lower(cast(${columnName(column)} as text)) collate binary`,
}

/** Orders keys by their bytes, or as numbers: alike on every engine, whatever its collation. */
export function orderedBy(dialect: Dialect, columns: readonly ColumnDefinition[]): RawBuilder<unknown> {
  return sql.join(columns.map((column) => orderOf(dialect, column)))
}

function orderOf(dialect: Dialect, column: ColumnDefinition): RawBuilder<unknown> {
  switch (column.field.settings.kind) {
    case 'bigint':
    case 'integer':
      // SQLite sorts by what was stored, which may be text.
      return dialect === 'sqlite' ? sql`cast(${columnName(column)} as integer)` : columnName(column)
    case 'text':
    case 'varchar':
    case 'json':
      return BY_BYTES[dialect](column)
    case 'uuid':
      return BY_LOWER_CASE[dialect](column)
    default:
      return columnName(column)
  }
}

/** Groups of at most `size`. */
export function* inGroups<T>(items: Iterable<T>, size: number = KEYS_AT_ONCE): Generator<T[]> {
  let group: T[] = []
  for (const item of items) {
    group.push(item)
    if (group.length < size) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}
