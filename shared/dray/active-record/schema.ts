import { sql } from 'kysely'
import type { Adapter, Connection, LiveTable } from '#dray/database/adapter.ts'
import type { SchemaCapabilities } from '#dray/database/capabilities.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { kindsHolding } from '#dray/database/live-types.ts'
import { compile } from '#dray/database/statement.ts'
import { tableNameOf } from '#dray/database/table-name.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { ModelTable } from './model-table.ts'
import { columnName, tableName } from './sql.ts'
import type { ColumnDefinition } from './table-definition.ts'

/** One difference between a model and its live table, and what follows from it. */
export interface SchemaDifference {
  readonly kind:
    | 'missing_schema'
    | 'missing_table'
    | 'missing_column'
    | 'type'
    | 'nullable'
    | 'missing_key'
    | 'unknown_required_column'
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

/** What the engine would refuse by a number, said in the words of the model. */
function refuseUnmakable({ definition }: ModelTable, { schema }: Adapter): void {
  const refuse = (fields: string, fault: string): never => {
    throw new ConfigurationError(
      `model of ${definition.database}.${definition.table}: ${fields}: ${fault}. No table was made.`,
    )
  }
  for (const { name, field } of definition.columns) {
    const fault = schema.columnFault(field.settings)
    if (fault !== null) refuse(`field ${name}`, fault)
  }
  const key = schema.keyFault(definition.primaryKey.map(({ field }) => field.settings))
  if (key !== null) refuse(`the key of ${definition.primaryKey.map(({ name }) => name).join(', ')}`, key)
}

/** A sentence where a table's name has a schema in front that is not there; else null. */
export async function missingSchema(
  { definition }: ModelTable,
  connection: Pick<Connection, 'query'>,
  adapter: Adapter,
): Promise<string | null> {
  const { schema } = tableNameOf(definition.table)
  if (schema === null || definition.query !== undefined) return null
  const { sql: text, parameters } = compile(adapter, adapter.schema.schemaNamed(schema))
  if ((await connection.query(text, parameters)).rows.length > 0) return null
  return `database ${definition.database} has no schema "${schema}", or its user may not see it, so there is no table ${definition.table}; create the schema, grant it to the user, or correct the part of the model's name in front of the dot`
}

/** The CREATE TABLE of the model's table. Throws `Configuration` for what the engine cannot hold. */
export function createStatement(model: ModelTable, adapter: Adapter, { ifMissing = false } = {}): string {
  const { definition } = model
  if (definition.query !== undefined)
    throw new ConfigurationError(
      `${definition.database}.${definition.table} is a query, so there is no table to make; make those that it reads`,
    )
  refuseUnmakable(model, adapter)
  const columns = definition.columns.map((column) => columnClause(column, adapter.schema))
  const key =
    definition.primaryKey.length === 0 ? [] : [sql`primary key (${sql.join(definition.primaryKey.map(columnName))})`]
  return compile(
    adapter,
    sql`create table ${sql.raw(ifMissing ? 'if not exists ' : '')}${tableName(definition)} (${sql.join([...columns, ...key])})${sql.raw(adapter.schema.tableOptions)}`,
  ).sql
}

/** Makes the model's table, with its columns, NOT NULL and primary key. */
export async function createTable(model: ModelTable, options: { readonly ifMissing?: boolean } = {}): Promise<void> {
  await model.database.withConnection(async (connection, adapter) => {
    const text = createStatement(model, adapter, options)
    const missing = await missingSchema(model, connection, adapter)
    if (missing !== null) throw new ConfigurationError(missing)
    try {
      await connection.query(text)
    } catch (error) {
      // PostgreSQL's IF NOT EXISTS does not wait for another session that makes the same table: its catalogue refuses.
      const made = options.ifMissing ? await connection.describe(model.definition.table).catch(() => null) : null
      if (made === null) throw error
    }
  })
}

/** A field as a model declares it. */
function declared(kind: FieldKind): string {
  if (kind === 'varchar') return 'varchar(n)'
  return kind === 'decimal' ? 'decimal(precision, scale)' : `${kind}()`
}

/** What differs between the model and its live table; each message ends with the command that shows what to do. */
export async function checkSchema(model: ModelTable): Promise<readonly SchemaDifference[]> {
  const differences = await differencesOf(model)
  const end =
    model.definition.query !== undefined
      ? 'a column of a query is what it selects: write … as its name, with a cast where its type is another one'
      : model.definition.readOnly
        ? 'what mends the model: `npx dray schema pull`'
        : 'the statements for it: `npx dray schema plan`'
  return differences.map((one) => ({ ...one, message: `${one.message}; ${end}` }))
}

async function differencesOf(model: ModelTable): Promise<readonly SchemaDifference[]> {
  const { definition, database } = model
  const where = `${definition.database}.${definition.table}`
  const { live, missing } = await database.withConnection(async (connection, adapter) => {
    const absent = await missingSchema(model, connection, adapter)
    return { live: absent === null ? await connection.describe(definition.table) : null, missing: absent }
  })
  if (missing !== null) return [{ kind: 'missing_schema', column: null, message: missing }]
  if (live === null) {
    return [
      {
        kind: 'missing_table',
        column: null,
        message: `there is no table ${where}; create it${definition.readOnly ? '' : ' (createTable() does)'}, or correct the name in the model`,
      },
    ]
  }
  const { schema } = await database.adapter()
  return [
    ...definition.columns.flatMap((column) => columnDifferences(where, column, live, definition.readOnly, schema)),
    ...(definition.readOnly ? [] : writingDifferences(where, model, live)),
  ]
}

function columnDifferences(
  where: string,
  column: ColumnDefinition,
  live: LiveTable,
  isRead: boolean,
  { liveTypes, storesBytes }: SchemaCapabilities,
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
  const { kind } = column.field.settings
  const kinds = liveTypes === null ? [kind] : kindsHolding(liveTypes, found.type)
  const is = `${where}.${column.column} is ${found.type || 'without a type'}`
  const remedy = !kinds.includes(kind)
    ? `the model says ${kind}; declare the field ${column.name} as ${declared(kinds[0] as FieldKind)}, which holds such values as they are, or change the column`
    : kind === 'binary' && !isRead && !storesBytes(found.type)
      ? 'so bytes would be stored as their hexadecimal text; make it a BLOB'
      : null
  return remedy === null ? [] : [{ kind: 'type', column: column.column, message: `${is}, ${remedy}` }]
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
