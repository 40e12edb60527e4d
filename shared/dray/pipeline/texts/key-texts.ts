import { type RawBuilder, sql } from 'kysely'
import { columnName, KEYS_AT_ONCE, textFor } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, columnOf, type TableDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { canonicalText } from './canonical.ts'

export function columnsOf(definition: TableDefinition, names: readonly string[]): readonly ColumnDefinition[] {
  return names.map((name) => columnOf(definition, name))
}

/**
 * Rows that have one of these keys. An engine's collation may take other keys for the same: look at what comes back.
 */
export function hasKey(
  adapter: Adapter,
  columns: readonly ColumnDefinition[],
  keys: readonly (readonly Text[])[],
): RawBuilder<unknown> {
  const [only] = columns
  if (columns.length === 1 && only !== undefined && !keys.some(([text]) => isImpossible(adapter, only, text ?? null))) {
    return sql`${columnName(only)} in (${sql.join(keys.map(([text]) => textFor(adapter, only, text ?? null)))})`
  }
  const equal = (key: readonly Text[]) => columns.map((column, place) => isText(adapter, column, key[place] ?? null))
  const alternatives = keys.map((key) => sql`(${sql.join(equal(key), sql` and `)})`)
  return sql`(${sql.join(alternatives, sql` or `)})`
}

function isText(adapter: Adapter, column: ColumnDefinition, text: Text): RawBuilder<unknown> {
  if (isImpossible(adapter, column, text)) return sql`cast(${columnName(column)} as char) = ${text}`
  return sql`${columnName(column)} = ${textFor(adapter, column, text)}`
}

/** Kinds of fields that may be those of a day or a moment. */
const MOMENTS: ReadonlySet<FieldKind> = new Set(['date', 'timestamp', 'text', 'varchar'])

/** Whether it is a moment of which a column can have the text alone. */
function isImpossible({ isImpossibleMoment }: Adapter, { field }: ColumnDefinition, text: Text): boolean {
  return text !== null && MOMENTS.has(field.settings.kind) && isImpossibleMoment?.(text) === true
}

/** A key's canonical texts. */
export function canonicalKey(columns: readonly ColumnDefinition[], texts: readonly Text[]): Text[] {
  return columns.map((column, place) => canonicalText(column, texts[place] ?? null))
}

/** Groups of as many as are asked for at once, or of another size. */
export function* inGroups<T>(items: Iterable<T>, size = KEYS_AT_ONCE): Generator<T[]> {
  let group: T[] = []
  for (const item of items) {
    group.push(item)
    if (group.length < size) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}
