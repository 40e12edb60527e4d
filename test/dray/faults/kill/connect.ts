import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import { DynamoDbItemTable } from 'dray/internal/state/dynamodb-item-table.ts'
import { createStateClient } from 'dray/internal/state/dynamodb-state-store.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { TableStateStore } from 'dray/internal/state/table-state-store.ts'

export const STATE_TABLE = 'state'

/** The state and the staging of a run, as the handlers see them. */
export function connect(
  endpoint: string,
  folder: string,
): { readonly state: StateStore; readonly staging: StagingStore; close(): void } {
  const client = createStateClient({ endpoint })
  return {
    state: new TableStateStore(DynamoDbItemTable.of(client, STATE_TABLE)),
    staging: new FolderStagingStore(folder),
    close: () => client.destroy(),
  }
}
