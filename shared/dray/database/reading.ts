import type { Text } from '#dray/block/block.ts'

/** Asks for rows. */
export type ReadRows = (sql: string, parameters: readonly string[]) => Promise<readonly (readonly Text[])[]>

/** As much of a connection as answers. */
interface AskedConnection {
  query(sql: string, parameters: readonly (string | null)[]): Promise<{ readonly rows: readonly (readonly Text[])[] }>
}

/** Asks a connection for rows. */
export function asking(connection: AskedConnection) {
  return async (sql: string, parameters: readonly (string | null)[] = []) =>
    (await connection.query(sql, parameters)).rows
}

/** As much of a connection as takes a lock. */
export interface LockableConnection {
  query(sql: string): Promise<{ readonly rows: readonly (readonly Text[])[] }>
  begin(mode: 'write'): Promise<void>
  commit(): Promise<void>
  rollback(): Promise<void>
}
