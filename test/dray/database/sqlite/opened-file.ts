import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Text } from 'dray/internal/block/block.ts'
import type { Bound, Connection, MergeResult, MergeTarget } from 'dray/internal/database/adapter.ts'
import { createSqliteAdapter } from 'dray/internal/database/sqlite/index.ts'
import { blocksOf } from '#test/contracts/adapter.ts'

/** A database in a file of its own, and one connection. */
export interface OpenedFile {
  readonly connection: Connection
  query(sql: string, parameters?: readonly Bound[]): Promise<readonly (readonly Text[])[]>
  /** Merges rows in a transaction of their own. */
  merge(target: MergeTarget, rows: readonly (readonly Text[])[]): Promise<MergeResult>
  close(): Promise<void>
}

export async function openFile(): Promise<OpenedFile> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-sqlite-'))
  const adapter = createSqliteAdapter({ name: 'warehouse', url: `sqlite:${join(folder, 'x.db')}` })
  const connection = await adapter.acquire()
  return {
    connection,
    query: async (sql, parameters) => (await connection.query(sql, parameters)).rows,
    async merge(target, rows) {
      await connection.begin('write')
      try {
        const result = await connection.merge(target, blocksOf(rows))
        await connection.commit()
        return result
      } catch (error) {
        await connection.rollback()
        throw error
      }
    },
    async close() {
      await adapter.release(connection)
      await adapter.close()
      await rm(folder, { recursive: true })
    },
  }
}

/** Inserted, updated, unchanged, duplicate, and the rows rejected with their codes. */
export function outcomeOf({ inserted, updated, unchanged, duplicate, rejected }: MergeResult): readonly unknown[] {
  return [inserted, updated, unchanged, duplicate, ...rejected.map(({ row, code }) => `${row}: ${code}`)]
}
