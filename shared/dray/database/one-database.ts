import type { Database } from './database.ts'

/** Whether two databases are one, whatever they are called; false where a server does not say which it is. */
export async function areOneDatabase(one: Database, other: Database): Promise<boolean> {
  if (one.name === other.name) return true
  const [{ identity }, adapter] = await Promise.all([one.adapter(), other.adapter()])
  if (identity !== adapter.identity) return false
  const known = await one.withConnection((connection) =>
    identity.read(async (sql, parameters) => (await connection.query(sql, parameters)).rows),
  )
  if (known.weakness !== null || known.identity.server === '') return false
  return other.withConnection(async (connection) => {
    const rows = async (sql: string, parameters: readonly string[]) => (await connection.query(sql, parameters)).rows
    const now = await identity.read(rows)
    return now.weakness === null && (await identity.compare(rows, known.identity, now.identity)) === 'same'
  })
}
