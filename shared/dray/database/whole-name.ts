import { sql } from 'kysely'
import type { Database } from './database.ts'
import { compile } from './statement.ts'

/** The name of a table within its database, in the one spelling that every name for it has. */
export async function wholeName(database: Database, table: string): Promise<string> {
  return database.withConnection(async (connection, adapter) => {
    const { sql: text, parameters } = compile(adapter, sql`select ${adapter.schema.wholeName(table)}`)
    return (await connection.query(text, parameters)).rows[0]?.[0] ?? table
  })
}
