import { SqliteItemTable } from 'dray/internal/state/local/sqlite-item-table.ts'
import { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { fileOfEndpoint, prepareStateFile } from 'dray-infra/internal/local/state-file.ts'

/** The local state of a folder, as the commands that work in it have it. */
export async function openStateIn(home: string): Promise<TableStateStore> {
  return new TableStateStore(new SqliteItemTable(fileOfEndpoint(await prepareStateFile(home)) as string))
}
