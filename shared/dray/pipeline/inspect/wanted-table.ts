import type { ModelTable } from '#dray/active-record/model-table.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import { formats } from '#dray/messages/formats.ts'
import type { SchemaInput, WantedTable } from '#dray/messages/schema.ts'

/** What is asked for a table beside its columns. */
type Asked = Omit<WantedTable, 'database' | 'table' | 'columns'>

/** A model's table as it travels to whoever reaches its database. */
export function wantedTable({ definition }: Pick<ModelTable, 'definition'>, asked: Asked): WantedTable {
  return { database: definition.database, table: definition.table, columns: definition.columns.map(sent), ...asked }
}

function sent({ name, column, field }: ColumnDefinition): WantedTable['columns'][number] {
  const { kind, length, precision, scale, isNullable, isPrimaryKey, isGenerated, isDefaulted, isLockVersion } =
    field.settings
  return {
    ...{ name, column, kind, length, precision, scale },
    ...{ isNullable, isPrimaryKey, isGenerated, isDefaulted, isLockVersion },
  }
}

/** `environment` is null on the machine of who asks. */
export function schemaInputOf(
  tables: readonly WantedTable[],
  { by, environment }: Pick<SchemaInput, 'by' | 'environment'>,
): SchemaInput {
  return { version: formats.schema, by, environment, tables }
}
