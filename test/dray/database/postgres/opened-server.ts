import type { Text } from 'dray/internal/block/block.ts'
import type { Adapter, Bound, Connection, MergeResult, MergeTarget } from 'dray/internal/database/adapter.ts'
import { createPostgresAdapter } from 'dray/internal/database/postgres/index.ts'
import { blocksOf } from '#test/contracts/adapter.ts'
import { startPostgres } from '#test/services/postgres.ts'

/** A server, an adapter over an empty database of it, and one connection. */
export interface OpenedServer {
  readonly url: string
  readonly adapter: Adapter
  readonly connection: Connection
  query(sql: string, parameters?: readonly Bound[]): Promise<readonly (readonly Text[])[]>
  /** Merges rows in a transaction of their own. */
  merge(target: MergeTarget, rows: readonly (readonly Text[])[]): Promise<MergeResult>
  close(): Promise<void>
}

export async function openServer(): Promise<OpenedServer> {
  const server = await startPostgres()
  const url = await server.createDatabase()
  const adapter = createPostgresAdapter({ name: 'warehouse', url, maxConnections: 4 })
  const connection = await adapter.acquire()
  return {
    url,
    adapter,
    connection,
    query: async (sql, parameters) => (await connection.query(sql, parameters)).rows,
    merge: (target, rows) => inTransaction(connection, () => connection.merge(target, blocksOf(rows))),
    async close() {
      await adapter.release(connection)
      await adapter.close()
      await server.stop()
    },
  }
}

export async function inTransaction<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  await connection.begin('write')
  try {
    const result = await work()
    await connection.commit()
    return result
  } catch (error) {
    await connection.rollback()
    throw error
  }
}

/** Inserted, updated, unchanged, duplicate, and the rows rejected with their codes. */
export function outcomeOf({ inserted, updated, unchanged, duplicate, rejected }: MergeResult): readonly unknown[] {
  return [inserted, updated, unchanged, duplicate, ...rejected.map(({ row, code }) => `${row}: ${code}`)]
}
