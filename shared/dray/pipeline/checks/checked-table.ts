import { type RawBuilder, sql } from 'kysely'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import type { ColumnDefinition, TableDefinition } from '#dray/active-record/table-definition.ts'
import type { OpenBlocks } from '#dray/block/block.ts'
import type { Adapter, Connection, HeldRows, LiveColumn, QueryOptions } from '#dray/database/adapter.ts'
import { tableParts } from '#dray/database/table-name.ts'

type Sql = RawBuilder<unknown>

/** A table that is checked, as it lives; `from` are the rows that are asked. */
export interface CheckedTable {
  readonly definition: TableDefinition
  readonly adapter: Adapter
  readonly columns: readonly LiveColumn[]
  /** A FROM clause, in which the table's columns go by their names alone. */
  readonly from: Sql
  /** These are some of the table's rows. */
  readonly isPart: boolean
}

export async function wholeTable(
  definition: TableDefinition,
  connection: Connection,
  adapter: Adapter,
): Promise<CheckedTable> {
  const columns = (await connection.describe(definition.table))?.columns ?? []
  return { definition, adapter, columns, from: sql`${tableName(definition)}`, isPart: false }
}

/** A column of the table where another table is beside it. */
export function columnOfTable({ table }: TableDefinition, { column }: ColumnDefinition): Sql {
  return sql.id(...tableParts(table), column)
}

/** The rows of the keys that are given, once each; for as long as the transaction is open. */
export async function rowsOfKeys(
  whole: CheckedTable,
  key: readonly ColumnDefinition[],
  open: OpenBlocks,
  connection: Connection,
  options: QueryOptions,
): Promise<{ readonly table: CheckedTable; readonly held: HeldRows }> {
  const { definition } = whole
  const names = key.map(({ column }) => column)
  const held = await connection.holdRows({ table: definition.table, columns: names, key: names }, open, options)
  const renamed = key.map((column, place) => sql`${columnName(column)} as ${keyName(place)}`)
  const same = key.map((column, place) => sql`${columnOfTable(definition, column)} = dray_held.${keyName(place)}`)
  const keys = sql`(select distinct ${sql.join(renamed)} from ${sql.raw(held.table)}) dray_held`
  const from = sql`${keys} join ${tableName(definition)} on ${sql.join(same, sql` and `)}`
  return { table: { ...whole, from, isPart: true }, held }
}

function keyName(place: number): Sql {
  return sql.id(`dray_key_${place}`)
}
