import { sql } from 'kysely'
import type { LiveTable } from '#dray/database/adapter.ts'
import type { SchemaCapabilities } from '#dray/database/capabilities.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { compile } from '#dray/database/statement.ts'
import type { ModelTable } from './model-table.ts'
import { columnName, tableName } from './sql.ts'
import type { ColumnDefinition } from './table-definition.ts'

/** One difference between a model and its live table, and what follows from it. */
export interface SchemaDifference {
  readonly kind: 'missing_table' | 'missing_column' | 'type' | 'nullable' | 'missing_key' | 'unknown_required_column'
  readonly column: string | null
  /** A sentence: where, what, and the remedy. */
  readonly message: string
}

function columnClause(column: ColumnDefinition, { columnType, generated }: SchemaCapabilities) {
  const { isNullable, isPrimaryKey, isGenerated, isLockVersion } = column.field.settings
  const parts = [sql`${columnName(column)} ${sql.raw(columnType(column.field.settings))}`]
  if (!isNullable || isPrimaryKey) parts.push(sql.raw('not null') as never)
  if (isLockVersion) parts.push(sql.raw('default 0') as never)
  if (isGenerated && generated !== null) parts.push(sql.raw(generated) as never)
  return sql.join(parts, sql` `)
}

/** Makes the model's table, with its columns, NOT NULL and primary key. */
export async function createTable(model: ModelTable, options: { readonly ifMissing?: boolean } = {}): Promise<void> {
  const { definition } = model
  await model.database.withConnection(async (connection, adapter) => {
    const columns = definition.columns.map((column) => columnClause(column, adapter.schema))
    const key =
      definition.primaryKey.length === 0 ? [] : [sql`primary key (${sql.join(definition.primaryKey.map(columnName))})`]
    const { sql: text } = compile(
      adapter,
      sql`create table ${sql.raw(options.ifMissing ? 'if not exists ' : '')}${tableName(definition)} (${sql.join([...columns, ...key])})${sql.raw(adapter.schema.tableOptions)}`,
    )
    try {
      await connection.query(text)
    } catch (error) {
      // PostgreSQL's IF NOT EXISTS does not wait for another session that makes the same table: its catalogue refuses.
      const made = options.ifMissing ? await connection.describe(definition.table).catch(() => null) : null
      if (made === null) throw error
    }
  })
}

/** Live types that hold a kind's values, as the engines name them. */
const ACCEPTED: Readonly<Record<FieldKind, RegExp>> = {
  bigint: /^(bigint|integer|int|smallint|mediumint|tinyint|year|numeric|decimal|xid8)/i,
  integer: /^(bigint|integer|int|smallint|mediumint|tinyint|year)/i,
  text: /./,
  varchar: /./,
  decimal: /^(numeric|decimal|money|text|varchar|bigint|integer|int|smallint|real|double)/i,
  double: /^(double|real|float|numeric|decimal)/i,
  boolean: /^(bool|tinyint|bit|integer|int)/i,
  date: /^(date|text|timestamp|varchar)/i,
  timestamp: /^(timestamp|datetime|date|text|varchar)/i,
  json: /^(json|longtext|text)/i,
  uuid: /^(uuid|char|varchar|text|binary)/i,
  binary: /^(bytea|(tiny|medium|long)?blob|binary|varbinary|bit\()/i,
}

/** What differs between the model and its live table. */
export async function checkSchema(model: ModelTable): Promise<readonly SchemaDifference[]> {
  const { definition, database } = model
  const live = await database.withConnection((connection) => connection.describe(definition.table))
  const where = `${definition.database}.${definition.table}`
  if (live === null) {
    return [
      {
        kind: 'missing_table',
        column: null,
        message: `there is no table ${where}; create it${definition.readOnly ? '' : ' (createTable() does)'}, or correct the name in the model`,
      },
    ]
  }
  const { enforcesTypes } = (await database.adapter()).schema
  return [
    ...definition.columns.flatMap((column) => columnDifferences(where, column, live, enforcesTypes)),
    ...(definition.readOnly ? [] : writingDifferences(where, model, live)),
  ]
}

function columnDifferences(
  where: string,
  column: ColumnDefinition,
  live: LiveTable,
  enforcesTypes: boolean,
): SchemaDifference[] {
  const found = live.columns.find(({ name }) => name === column.column)
  if (found === undefined) {
    const names = live.columns.map(({ name }) => name).join(', ')
    return [
      {
        kind: 'missing_column',
        column: column.column,
        message: `${where} has no column ${column.column} (it has ${names}); add it, or correct the field ${column.name} of the model`,
      },
    ]
  }
  if (!enforcesTypes || ACCEPTED[column.field.settings.kind].test(found.type)) return []
  return [
    {
      kind: 'type',
      column: column.column,
      message: `${where}.${column.column} is ${found.type}, the model says ${column.field.settings.kind}; change one of them`,
    },
  ]
}

function writingDifferences(where: string, model: ModelTable, live: LiveTable): SchemaDifference[] {
  const { definition } = model
  const differences: SchemaDifference[] = []
  for (const column of live.columns) {
    if (column.nullable || column.hasDefault || definition.columnNames.includes(column.name)) continue
    differences.push({
      kind: 'unknown_required_column',
      column: column.name,
      message: `${where}.${column.name} must have a value and the model does not know it, so no row can be inserted; add a field, or give the column a default`,
    })
  }
  const key = definition.primaryKey.map(({ column }) => column)
  const keys = [live.primaryKey, ...live.uniqueKeys].map((columns) => [...columns].sort().join('\0'))
  if (key.length > 0 && !keys.includes([...key].sort().join('\0'))) {
    differences.push({
      kind: 'missing_key',
      column: null,
      message: `${where} has no primary or unique key on ${key.join(', ')}, so an upsert cannot find its rows; add one`,
    })
  }
  return differences
}
