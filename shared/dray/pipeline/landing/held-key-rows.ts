import { type RawBuilder, sql } from 'kysely'
import { readColumn, tableName } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { OpenBlocks, Text } from '#dray/block/block.ts'
import type { Adapter, HeldRows, QueryOptions } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { tableParts } from '#dray/database/table-name.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'

/** Keys, by their places, that a table has; and as it writes them. */
export interface FoundKey {
  readonly place: number
  readonly stored: readonly Text[]
}

interface Keys {
  readonly columns: readonly ColumnDefinition[]
  /** Yields them again from the start each time it is called. */
  readonly open: OpenBlocks
}

/**
 * Of keys, those that a table takes for one of its rows': once for each such row. One that it could not hold has none.
 * A transaction is open, since the keys are held in a table of the session.
 */
export function presentKeys(model: AnyModel, keys: Keys, options: QueryOptions): Promise<FoundKey[]> {
  return ofHeld(model, keys, options, (adapter, held) => {
    const stored = sql.join(keys.columns.map((column) => readColumn(adapter, column)))
    return sql`select dray_row, ${stored} from ${held} join ${tableName(model.definition)} on ${sameKey(model, keys)}`
  })
}

/** Of keys, those that a table has no row of; those that it could not hold are left out. */
export function absentKeys(model: AnyModel, keys: Keys, options: QueryOptions): Promise<FoundKey[]> {
  return ofHeld(model, keys, options, (_, held) => {
    const isThere = sql`select 1 from ${tableName(model.definition)} where ${sameKey(model, keys)}`
    return sql`select dray_row from ${held} where not exists (${isThere})`
  })
}

function ofHeld(
  { database, definition }: AnyModel,
  { columns, open }: Keys,
  options: QueryOptions,
  statementOf: (adapter: Adapter, held: RawBuilder<unknown>) => RawBuilder<unknown>,
): Promise<FoundKey[]> {
  const names = columns.map(({ column }) => column)
  return database.withConnection(async (connection, adapter) => {
    const table = { table: definition.table, columns: names, key: names }
    const held = await connection.holdRows(table, open, options)
    const { sql: text, parameters } = compile(adapter, statementOf(adapter, heldKeys(columns, held)))
    const { rows } = await connection.query(text, parameters, options)
    await held.release()
    return rows.map(([place, ...stored]) => ({ place: held.rowOf(place as string), stored }))
  })
}

function sameKey({ definition }: AnyModel, { columns }: Keys): RawBuilder<unknown> {
  const same = columns.map(
    ({ column }, at) => sql`${sql.id(...tableParts(definition.table), column)} = ${sql.id('dray_held', keyName(at))}`,
  )
  return sql.join(same, sql` and `)
}

function keyName(at: number): string {
  return `dray_key_${at}`
}

/** The keys that are held, under names that no column of the table has. */
function heldKeys(columns: readonly ColumnDefinition[], { table, place }: HeldRows): RawBuilder<unknown> {
  const keys = columns.map(({ column }, at) => sql`${sql.id(column)} as ${sql.id(keyName(at))}`)
  return sql`(select ${sql.raw(place)} as dray_row, ${sql.join(keys)} from ${sql.raw(table)}) dray_held`
}
