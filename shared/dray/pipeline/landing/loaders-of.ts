import type { ModelTable } from '#dray/active-record/model-table.ts'
import { wholeName } from '#dray/database/whole-name.ts'

/** The pipelines that have landed rows in a model's table, be it still there or not. */
export async function loadersOf({ database, definition }: ModelTable): Promise<string[]> {
  const name = await wholeName(database, definition.table)
  return database.withConnection(async (connection, { placeholder }) => {
    const fence = await connection.describe('dray_fence')
    if (!fence?.columns.some((column) => column.name === 'written_table')) return []
    const { rows } = await connection.query(
      `select pipeline from dray_fence where written_table = ${placeholder(1)} and mark is not null order by pipeline`,
      [name],
    )
    return rows.map(([pipeline]) => pipeline ?? '')
  })
}
