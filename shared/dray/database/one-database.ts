import type { Database } from './database.ts'
import { asking } from './reading.ts'

/** Whether two databases are one, whatever they are called; false where a server does not say which it is. */
export async function areOneDatabase(one: Database, other: Database): Promise<boolean> {
  if (one.name === other.name) return true
  const [{ identity }, adapter] = await Promise.all([one.adapter(), other.adapter()])
  if (identity !== adapter.identity) return false
  const known = await one.withConnection((connection) => identity.read(asking(connection)))
  if (known.weakness !== null || known.identity.server === '') return false
  return other.withConnection(async (connection) => {
    const rows = asking(connection)
    const now = await identity.read(rows)
    return now.weakness === null && (await identity.compare(rows, known.identity, now.identity)) === 'same'
  })
}
