import { type RawBuilder, sql } from 'kysely'
import type { Adapter, Connection, LiveColumn } from '#dray/database/adapter.ts'
import { columnName, readColumn, textFor } from './sql.ts'
import type { ColumnDefinition, TableDefinition } from './table-definition.ts'

/** A column of a key with what it is ordered and compared by: one rule for both, whatever its live type. */
export interface ComparedColumn {
  readonly column: ColumnDefinition
  readonly by: RawBuilder<unknown>
  /** What a subquery selects to give the column's text. */
  readonly read: RawBuilder<unknown>
  /** Holds the column's values against that of a text. */
  compare(operator: '=' | '<' | '<=' | '>', text: string | null): RawBuilder<unknown>
  /** An index of the column gives the order. */
  readonly keepsIndex: boolean
}

export type ComparedKey = readonly ComparedColumn[]

export function comparedKey(
  adapter: Adapter,
  columns: readonly ColumnDefinition[],
  live: readonly LiveColumn[],
): ComparedKey {
  return columns.map((column) => {
    const name = columnName(column)
    const type = live.find((one) => one.name === column.column)?.type ?? ''
    const other = adapter.comparedAs?.(name, column.field.settings.kind, type) ?? null
    const by = other?.by ?? name
    return {
      column,
      by,
      read: other?.text === undefined ? readColumn(adapter, column) : sql`${other.text} as ${name}`,
      compare(operator, text) {
        const impossible = text === null ? null : (other?.impossible?.(text) ?? null)
        const value = other === null || text === null ? textFor(adapter, column, text) : other.value(text)
        return sql`${impossible?.by ?? by} ${sql.raw(operator)} ${impossible?.value ?? value}`
      },
      keepsIndex: other?.keepsIndex ?? true,
    }
  })
}

/** The primary key of a live table. */
export async function livePrimaryKey(
  definition: TableDefinition,
  connection: Connection,
  adapter: Adapter,
): Promise<ComparedKey> {
  const live = adapter.comparedAs === null ? null : await connection.describe(definition.table)
  return comparedKey(adapter, definition.primaryKey, live?.columns ?? [])
}

/** For ORDER BY. */
export function ascending(key: ComparedKey): RawBuilder<unknown> {
  return sql.join(key.map(({ by }) => by))
}

/** Rows behind a key. */
export function after(key: ComparedKey, texts: readonly string[]): RawBuilder<unknown> {
  return keyset(key, texts, { strict: '>', last: '>' })
}

/** Rows up to a key, and the one that has it. */
export function upTo(key: ComparedKey, texts: readonly string[]): RawBuilder<unknown> {
  return keyset(key, texts, { strict: '<', last: '<=' })
}

/** Compares a key column by column: `(a > x) or (a = x and b > y)`, which every engine can answer from an index. */
function keyset(
  key: ComparedKey,
  texts: readonly string[],
  operators: { readonly strict: '<' | '>'; readonly last: '<=' | '>' },
): RawBuilder<unknown> {
  const compare = (place: number, operator: Parameters<ComparedColumn['compare']>[0]) =>
    (key[place] as ComparedColumn).compare(operator, texts[place] ?? null)
  const alternatives = key.map((_, place) => {
    const equal = key.slice(0, place).map((_earlier, index) => compare(index, '='))
    const operator = place === key.length - 1 ? operators.last : operators.strict
    return sql`(${sql.join([...equal, compare(place, operator)], sql` and `)})`
  })
  return sql`(${sql.join(alternatives, sql` or `)})`
}
