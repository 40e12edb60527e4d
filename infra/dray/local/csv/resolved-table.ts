import type { Database } from 'dray/internal/active-record/database.ts'
import type { ModelTable } from 'dray/internal/active-record/model-table.ts'
import { tableNameOf, tableText } from 'dray/internal/database/table-name.ts'
import { wholeName } from 'dray/internal/database/whole-name.ts'

/** A table by whatever name it was given. */
export interface ResolvedTable {
  /** As the catalogue has it, with its schema: one text for each table. */
  readonly name: string
  /** Names under which it may have been remembered. */
  readonly spellings: readonly string[]
  /** The model that is mapped to it; one that writes before one that only reads. */
  readonly model: ModelTable | null
}

/**
 * Finds out which table a name means, by the rules of the engine: the search path, capitals, the schema in front. Two
 * names of one table are one here, be it there or still to be made.
 */
export async function resolvedTable(database: Database, table: string): Promise<ResolvedTable> {
  const bare = tableText({ ...tableNameOf(table), schema: null })
  const isLike = (other: string) => tableNameOf(other).name.toLowerCase() === tableNameOf(table).name.toLowerCase()
  const models = database.models.filter(({ definition }) => isLike(definition.table))
  const name = await wholeName(database, table)
  const names = await Promise.all(models.map(({ definition }) => wholeName(database, definition.table)))
  const mapped = models.filter((_, index) => names[index] === name)
  const isBare = (await wholeName(database, bare)) === name
  return {
    name,
    spellings: [...new Set([name, table, ...(isBare ? [bare] : []), ...mapped.map((one) => one.definition.table)])],
    model: mapped.find(({ definition }) => !definition.readOnly) ?? mapped[0] ?? null,
  }
}
