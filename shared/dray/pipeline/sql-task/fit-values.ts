import { sql } from 'kysely'
import { columnName } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, textToValue } from '#dray/active-record/table-definition.ts'
import { validateValue } from '#dray/active-record/validations.ts'
import type { Text } from '#dray/block/block.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError } from '#dray/errors.ts'
import { type SqlWork, selectedColumns } from '#dray/pipeline/declare/sql-task.ts'
import type { SelectedRows } from './selected-rows.ts'

/**
 * Where a column holds any value, whatever it was declared as, the model's fields and their rules say what is one:
 * throws `DataQuality` for the first value that is none of its field's, as a double for a decimal of two digits.
 */
export async function refuseUnfit(
  name: string,
  work: SqlWork,
  { table }: SelectedRows,
  connection: Connection,
  adapter: Adapter,
): Promise<void> {
  if (adapter.schema.liveTypes !== null) return
  const columns = selectedColumns(work)
  const { definition } = work.into
  const { sql: text } = compile(adapter, sql`select ${sql.join(columns.map(columnName))} from ${sql.raw(table)}`)
  let place = 0
  for await (const page of connection.stream(text)) {
    for (const row of page) {
      place += 1
      for (const [index, column] of columns.entries()) {
        const value = row[index] ?? null
        const why = faultOf(column, value)
        if (why === null) continue
        const key = work.by.map((one) => `${one.column} ${row[columns.indexOf(one)]}`).join(', ')
        throw new DataQualityError(
          column.name,
          'unfit',
          `${name}: ${definition.database}.${definition.table} does not take the rows of the SELECT, so nothing was written: row ${place}${key === '' ? '' : ` (${key})`}: ${column.column}: ${why}`,
        )
      }
    }
  }
}

function faultOf(column: ColumnDefinition, text: Text): string | null {
  try {
    return validateValue(column, textToValue(column, text))?.message ?? null
  } catch (error) {
    if (error instanceof DataQualityError) return error.message
    throw error
  }
}
