import type { CopyBlock, Text } from 'dray/internal/block/block.ts'
import { BlockEncoder } from 'dray/internal/block/copy-text.ts'
import type { Adapter, Bound, Connection, MergeResult, MergeTarget } from 'dray/internal/database/adapter.ts'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import type { MysqlServerOptions } from '#test/services/mysql-process.ts'
import { mysqlUnavailable, startMysqlServer } from '#test/services/mysql-server.ts'

/** Why the suites over MySQL cannot run here, for `skip`. */
export const skip = mysqlUnavailable ?? false

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

export async function openServer(options: MysqlServerOptions = {}): Promise<OpenedServer> {
  const server = await startMysqlServer(options)
  const url = await server.createDatabase()
  const adapter = createMysqlAdapter({ name: 'warehouse', url, maxConnections: 4 })
  const connection = await adapter.acquire()
  return {
    url,
    adapter,
    connection,
    query: async (sql, parameters) => (await connection.query(sql, parameters)).rows,
    merge: (target, rows) => inTransaction(connection, () => connection.merge(target, () => blocksOf(rows))),
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

/** Rows as blocks of COPY text. */
export function blocksOf(rows: readonly (readonly Text[])[]): CopyBlock[] {
  const encoder = new BlockEncoder()
  const blocks = rows.map((row) => encoder.push(row))
  return [...blocks, encoder.flush()].filter((block) => block !== null)
}

/** The counts of a merge without its rejected rows. */
export function countsOf({ inserted, updated, unchanged, duplicate, rejected }: MergeResult): readonly number[] {
  return [inserted, updated, unchanged, duplicate, rejected.length]
}

/** Inserted, updated, unchanged, duplicate, and the rows rejected with their codes. */
export function outcomeOf({ inserted, updated, unchanged, duplicate, rejected }: MergeResult): readonly unknown[] {
  return [inserted, updated, unchanged, duplicate, ...rejected.map(({ row, code }) => `${row}: ${code}`)]
}
