import { sql } from 'kysely'
import { readColumn, tableName } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { compile } from '#dray/database/statement.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import { hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'

type Key = readonly Text[]

/** Of each of these keys those of a table that it takes for the same: asked for all at once, answered one by one. */
export async function storedKeys(
  { database, definition }: AnyModel,
  columns: readonly ColumnDefinition[],
  wanted: readonly Key[],
): Promise<readonly (readonly Key[])[]> {
  const stored: Key[][] = wanted.map(() => [])
  await database.withConnection(async (connection, adapter) => {
    const read = sql.join(columns.map((column) => readColumn(adapter, column)))
    for (const group of inGroups(wanted.entries())) {
      const ofEach = group.map(
        ([place, key]) =>
          sql`select ${sql.raw(String(place))} as ${sql.id('dray_place')}, ${read} from ${tableName(definition)} where ${hasKey(adapter, columns, [key])}`,
      )
      const { sql: text, parameters } = compile(adapter, sql.join(ofEach, sql` union all `))
      for (const [place, ...key] of (await connection.query(text, parameters)).rows) stored[Number(place)]?.push(key)
    }
  })
  return stored
}
