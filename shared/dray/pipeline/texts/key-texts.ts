import { type RawBuilder, sql } from 'kysely'
import type { ModelTable } from '#dray/active-record/model-table.ts'
import { columnName, KEYS_AT_ONCE, textFor } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, columnOf, type TableDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import type { Adapter, LiveColumn } from '#dray/database/adapter.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { canonicalText } from './canonical.ts'

export function columnsOf(definition: TableDefinition, names: readonly string[]): readonly ColumnDefinition[] {
  return names.map((name) => columnOf(definition, name))
}

/**
 * The live columns of a table whose key has bytes in it, which may be a number for the engine; none of any other, where
 * nobody needs them.
 */
export async function bytesOfKey(
  { database, definition }: ModelTable,
  columns: readonly ColumnDefinition[],
): Promise<readonly LiveColumn[]> {
  if (!columns.some(({ field }) => field.settings.kind === 'binary')) return []
  const live = await database.withConnection((connection) => connection.describe(definition.table))
  return live?.columns ?? []
}

/**
 * Rows that have one of these keys; of bytes the live columns are needed, see `bytesOfKey`. An engine's collation may
 * take other keys for the same: look at what comes back.
 */
export function hasKey(
  adapter: Adapter,
  columns: readonly ColumnDefinition[],
  keys: readonly (readonly Text[])[],
  live: readonly LiveColumn[],
): RawBuilder<unknown> {
  const [only] = columns
  const given = (column: ColumnDefinition, text: Text) => valueFor(adapter, column, text, live)
  if (columns.length === 1 && only !== undefined && !keys.some(([text]) => isImpossible(adapter, only, text ?? null))) {
    return sql`${columnName(only)} in (${sql.join(keys.map(([text]) => given(only, text ?? null)))})`
  }
  const isText = (column: ColumnDefinition, text: Text) =>
    isImpossible(adapter, column, text)
      ? sql`cast(${columnName(column)} as char) = ${text}`
      : sql`${columnName(column)} = ${given(column, text)}`
  const equal = (key: readonly Text[]) => columns.map((column, place) => isText(column, key[place] ?? null))
  const alternatives = keys.map((key) => sql`(${sql.join(equal(key), sql` and `)})`)
  return sql`(${sql.join(alternatives, sql` or `)})`
}

function valueFor(
  adapter: Adapter,
  column: ColumnDefinition,
  text: Text,
  live: readonly LiveColumn[],
): RawBuilder<unknown> {
  const { kind } = column.field.settings
  const type = kind === 'binary' ? live.find(({ name }) => name === column.column)?.type : undefined
  const other = type === undefined ? null : (adapter.comparedAs?.(columnName(column), kind, type) ?? null)
  return other === null || text === null ? textFor(adapter, column, text) : other.value(text)
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
