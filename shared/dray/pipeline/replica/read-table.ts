import { type Candidates, candidatesOf } from '#dray/active-record/candidates.ts'
import type { Database } from '#dray/active-record/database.ts'
import { type FieldType, typeOf } from '#dray/active-record/field-type.ts'
import { fittingTypes } from '#dray/active-record/fitting-types.ts'
import type { Adapter, LiveColumn, LiveTable } from '#dray/database/adapter.ts'
import type { TableDetails } from '#dray/database/catalogue.ts'
import { asking } from '#dray/database/reading.ts'

const ANY_DECIMAL: FieldType = { kind: 'decimal', length: null, precision: null, scale: null }

/** A table of the source as it lives. */
export interface ReadTable {
  readonly adapter: Adapter
  readonly live: LiveTable
  readonly details: TableDetails
  /** The zone of the server's clock; null where it is in UTC. To ask opens a session. */
  readonly serverZone: () => Promise<string | null>
}

/** Null where there is no such table, or the user may not see it. */
export function readTable(database: Database, table: string): Promise<ReadTable | null> {
  return database.withConnection(async (connection, adapter) => {
    const live = await connection.describe(table)
    if (live === null || live.columns.length === 0) return null
    const details = await adapter.catalogue.details(asking(connection), table)
    return { adapter, live, details, serverZone: () => database.withConnection((one) => one.serverZone()) }
  })
}

/** What a column may be taken for, the best first: the target's own column decides where there is one. */
export function candidatesIn({ adapter, details }: ReadTable, column: LiveColumn): Candidates {
  const found = candidatesOf(column, details.columns.get(column.name), adapter.schema.liveTypes)
  // A decimal that says no digits has any number of them.
  return found.isMeasured && adapter.schema.liveTypes !== null ? { types: [ANY_DECIMAL], isMeasured: false } : found
}

/** What a column of the target that is there may take a column's values for, the best first. */
export function typesHeldIn(read: ReadTable, column: LiveColumn): readonly FieldType[] {
  const { types, isMeasured } = candidatesIn(read, column)
  if (isMeasured) return [...types, typeOf('text'), ANY_DECIMAL]
  // An engine that has no such type, or none that a key may have, holds them as texts.
  return types.some((type) => type === ANY_DECIMAL || type.kind === 'json') ? [...types, typeOf('text')] : types
}

/** The types of columns that the target has not: by the source's types, or where it has none by the values of now. */
export async function typesOf(
  database: Database,
  table: string,
  read: ReadTable,
  columns: readonly LiveColumn[],
): Promise<FieldType[]> {
  const candidates = columns.map((column) => candidatesIn(read, column))
  const isSaid = candidates.every(({ types, isMeasured }) => types.length === 1 && !isMeasured)
  if (isSaid) return candidates.map(({ types: [type] }) => type ?? typeOf('text'))
  return database.withConnection((connection, adapter) => fittingTypes(connection, adapter, table, columns, candidates))
}

/** The primary key, or else the smallest unique key that is never NULL; empty where rows cannot be told apart. */
export function keyOf(
  { primaryKey, uniqueKeys, columns }: LiveTable,
  { isInherited }: Pick<TableDetails, 'isInherited'>,
): readonly string[] {
  if (isInherited) return []
  if (primaryKey.length > 0) return primaryKey
  const isFilled = (name: string) => columns.some((column) => column.name === name && !column.nullable)
  const whole = uniqueKeys.filter((key) => key.length > 0 && key.every(isFilled))
  return whole.sort((one, other) => one.length - other.length)[0] ?? []
}
