import type { RawBuilder } from 'kysely'
import type { Text } from '#dray/block/block.ts'
import type { Database } from '#dray/database/database.ts'
import { compile } from '#dray/database/statement.ts'

/** The rows of a statement, in the open transaction. */
export async function queried(
  database: Database,
  statement: RawBuilder<unknown>,
): Promise<readonly (readonly Text[])[]> {
  return database.withConnection(async (connection, adapter) => {
    const { sql, parameters } = compile(adapter, statement)
    return (await connection.query(sql, parameters)).rows
  })
}
