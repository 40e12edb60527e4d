import type { TableDefinition } from '#dray/active-record/table-definition.ts'
import type { LiveTable } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'

/**
 * Whether nothing but the model says that no two rows of the source have one key: there is no primary or unique key
 * over columns of it, or one of them may be NULL. So it is with each view.
 */
export function isKeyDeclaredAlone(
  { primaryKey }: Pick<TableDefinition, 'primaryKey'>,
  live: LiveTable | null,
): boolean {
  const key = primaryKey.map(({ column }) => column)
  if (live === null || key.length === 0) return false
  const isFilled = (name: string) => live.columns.some((column) => column.name === name && !column.nullable)
  const isHeld = (unique: readonly string[]) =>
    unique.length > 0 && unique.every((column) => key.includes(column) && isFilled(column))
  return ![live.primaryKey, ...live.uniqueKeys].some(isHeld)
}

/** A query is one, too. */
export async function isView({ database, definition }: AnyModel): Promise<boolean> {
  if (definition.query !== undefined) return true
  return database.withConnection(async (connection, adapter) => {
    const { sql: text, parameters } = compile(adapter, adapter.schema.viewNamed(definition.table))
    return (await connection.query(text, parameters)).rows.length > 0
  })
}
