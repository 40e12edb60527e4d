import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteItemTable } from 'dray/internal/state/local/sqlite-item-table.ts'
import { makePrivateFile } from 'dray-infra/internal/local/private-files.ts'

export interface LocalTable {
  readonly path: string
  readonly table: SqliteItemTable
  close(): void
}

/** A file of items in a folder that goes with it. */
export function openLocalTable(): LocalTable {
  const folder = mkdtempSync(join(tmpdir(), 'dray-items-'))
  const path = join(folder, 'state.db')
  makePrivateFile(path)
  const table = new SqliteItemTable(path)
  return {
    path,
    table,
    close() {
      table.close()
      rmSync(folder, { recursive: true })
    },
  }
}
