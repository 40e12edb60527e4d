import { type RawBuilder, sql } from 'kysely'
import { columnName } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, columnOf } from '#dray/active-record/table-definition.ts'
import { tableParts } from '#dray/database/table-name.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { Cursor, Extraction } from '#dray/pipeline/declare/extraction.ts'

export function cursorOf({ cursor, source }: Extraction): Cursor {
  if (cursor !== null) return cursor
  throw new ConfigurationError(
    `${source.definition.database}.${source.definition.table} is read whole in each run, so it has no window; run the pipeline, or read it with changedSince()`,
  )
}

/** The columns that the cursor is, or that its expression names. */
export function cursorColumns(extraction: Extraction): readonly ColumnDefinition[] {
  const { fields, expression } = cursorOf(extraction)
  if (expression === null) return fields.map((name) => columnOf(extraction.model.definition, name))
  return [...new Set(expression.flatMap((part) => (part.kind === 'column' ? [part.column] : [])))]
}

/**
 * The cursor of a row, in SQL. A field of an expression is that of this table in a subquery, too, whatever the columns
 * there are called; an index has its columns alone.
 */
export function cursorValue(extraction: Extraction, { isOfIndex = false } = {}): RawBuilder<unknown> {
  const { expression } = cursorOf(extraction)
  if (expression !== null) {
    const table = isOfIndex ? [] : tableParts(extraction.source.definition.table)
    const parts = expression.map((part) => {
      if (part.kind === 'column') return sql.id(...table, part.column.column)
      return part.kind === 'sql' ? sql.raw(part.text) : sql`${'value' in part ? part.value : null}`
    })
    return sql`(${sql.join(parts, sql.raw(''))})`
  }
  const [first, ...others] = cursorColumns(extraction).map(columnName)
  return others.length === 0 ? sql`${first}` : sql`coalesce(${sql.join([first, ...others])})`
}

/** The cursor as messages call it, by its columns. */
export function cursorName(extraction: Extraction): string {
  const { name, expression } = cursorOf(extraction)
  if (expression !== null) return name
  const names = cursorColumns(extraction).map(({ column }) => column)
  return names.length === 1 ? (names[0] as string) : `coalesce(${names.join(', ')})`
}
