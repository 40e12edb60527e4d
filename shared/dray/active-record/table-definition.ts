import type { Text } from '#dray/block/block.ts'
import type { Bound } from '#dray/database/adapter.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { tableNameOf, tableText } from '#dray/database/table-name.ts'
import { ConfigurationError, DataQualityError } from '#dray/errors.ts'
import type { AnyField, Fields } from './fields.ts'

/** One field of a model with its names: `lastUpdated` is the property, `last_updated` the column. */
export interface ColumnDefinition {
  readonly name: string
  readonly column: string
  readonly index: number
  readonly field: AnyField
}

/** A condition on rows of a table: they have landed since the task ran last. */
export class LandedRows {
  readonly definition: TableDefinition
  readonly column: ColumnDefinition
  /** What the statement calls the table; null where its columns go by their names alone. */
  readonly alias: string | null

  constructor(definition: TableDefinition, column: ColumnDefinition, alias: string | null) {
    this.definition = definition
    this.column = column
    this.alias = alias
  }
}

/**
 * A piece of a SELECT: SQL as it is, the table of a model, a column of one, a condition for rows that have landed since
 * the task ran, or a value that is bound.
 */
export type QueryPart =
  | { readonly kind: 'sql'; readonly text: string }
  | { readonly kind: 'table'; readonly definition: TableDefinition }
  | { readonly kind: 'column'; readonly column: ColumnDefinition }
  | { readonly kind: 'landed'; readonly landed: LandedRows }
  | { readonly kind: 'value'; readonly value: Bound }

/** A SELECT: what a model reads in place of a table, what a check asks, or the work of a task. */
export interface Query {
  readonly parts: readonly QueryPart[]
  /** The SQL, with `?` for what is not: what tells whether it is volatile. */
  readonly text: string
  /** The tables of the models that it names. */
  readonly tables: readonly TableDefinition[]
}

/** What a model knows of its table. Rows are arrays of text in the order of `columns`. */
export interface TableDefinition {
  /** The database's name, e.g. `shop`. */
  readonly database: string
  /** `table` or `schema.table`, a part that has a dot in double quotes; of a query the name that it was given. */
  readonly table: string
  /** Left out where the rows are those of the table. */
  readonly query?: Query | undefined
  readonly columns: readonly ColumnDefinition[]
  readonly columnNames: readonly string[]
  readonly byName: ReadonlyMap<string, ColumnDefinition>
  readonly primaryKey: readonly ColumnDefinition[]
  readonly touched: readonly ColumnDefinition[]
  /** The field that says when a row was written. */
  readonly landed: ColumnDefinition | null
  readonly lockVersion: ColumnDefinition | null
  readonly readOnly: boolean
}

/** A row's text; `undefined` where the column was not selected. */
export type RecordRow = (Text | undefined)[]

export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
}

/** Builds the definition; refuses names that a record uses itself and columns named twice. */
export function defineTable(
  owner: Pick<TableDefinition, 'database' | 'table' | 'readOnly' | 'query'>,
  fields: Fields,
  reserved: (name: string) => boolean,
): TableDefinition {
  const columns = Object.entries(fields).map(
    ([name, field], index): ColumnDefinition => ({
      name,
      column: field.settings.column ?? snakeCase(name),
      index,
      field,
    }),
  )
  const table = tableText(tableNameOf(owner.table))
  const where = `${owner.database}.${table}`
  for (const { name, column } of columns) {
    if (reserved(name)) {
      throw new ConfigurationError(
        `model of ${where}: every record has a member "${name}", so the field would hide it; name the property otherwise and keep the column: other: text().column('${column}')`,
      )
    }
    if (columns.filter((other) => other.column === column).length > 1) {
      throw new ConfigurationError(`model of ${where}: two fields name the column "${column}"; remove one`)
    }
  }
  return {
    ...owner,
    table,
    columns,
    columnNames: columns.map(({ column }) => column),
    byName: new Map(columns.map((column) => [column.name, column])),
    primaryKey: columns.filter(({ field }) => field.settings.isPrimaryKey),
    touched: columns.filter(({ field }) => field.settings.isTouched),
    landed: landedOf(where, columns),
    lockVersion: columns.find(({ field }) => field.settings.isLockVersion) ?? null,
  }
}

function landedOf(where: string, columns: readonly ColumnDefinition[]): ColumnDefinition | null {
  const [first = null, other] = columns.filter(({ field }) => field.settings.isLanded)
  if (other !== undefined) {
    throw new ConfigurationError(
      `model of ${where}: ${first?.name} and ${other.name} are both landed(), and a row is written at one time; keep one`,
    )
  }
  const { kind, isPrimaryKey, isGenerated, isDefaulted } = first?.field.settings ?? { kind: 'timestamp' as const }
  if (kind === 'timestamp' && !(isPrimaryKey || isGenerated || isDefaulted)) return first
  throw new ConfigurationError(
    `model of ${where}: ${first?.name} is landed(), which is a timestamp() that each write sets, and neither a key nor set by the database itself; declare it as timestamp().landed()`,
  )
}

/** The column of a property; throws with the names there are. */
export function columnOf(definition: TableDefinition, name: string): ColumnDefinition {
  const column = definition.byName.get(name)
  if (column !== undefined) return column
  throw new ConfigurationError(
    `${definition.database}.${definition.table} has no field "${name}"; its fields are ${[...definition.byName.keys()].join(', ')}`,
  )
}

/** A value as the text that is written; null stays null. Throws `DataQuality` that names the field. */
export function valueToText(column: ColumnDefinition, value: unknown): Text {
  if (value === null || value === undefined) return null
  try {
    return column.field.settings.toText(value)
  } catch (error) {
    throw namingField(column, error)
  }
}

/** The value of a text; null stays null. Throws `DataQuality` that names the field. */
export function textToValue(column: ColumnDefinition, text: Text): unknown {
  if (text === null) return null
  try {
    return column.field.settings.cast(text)
  } catch (error) {
    throw namingField(column, error)
  }
}

function namingField(column: ColumnDefinition, error: unknown): unknown {
  if (!(error instanceof DataQualityError) || error.field !== '') return error
  return new DataQualityError(column.name, error.code, `${column.name}: ${error.message}`, { cause: error })
}

/** What columns hold, in their order. */
export function kindsOf(columns: readonly ColumnDefinition[]): FieldKind[] {
  return columns.map(({ field }) => field.settings.kind)
}
