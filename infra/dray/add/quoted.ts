import type { Adapter } from 'dray/internal/database/adapter.ts'
import { tableParts } from 'dray/internal/database/table-name.ts'

/** A table's name in the SQL of its engine. */
export function quotedTable(adapter: Adapter, table: string): string {
  return tableParts(table)
    .map((part) => adapter.quote(part))
    .join('.')
}
