import { join } from 'node:path'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { createStateTable } from 'dray/internal/state/create-state-table.ts'
import { createStateClient, DynamoDbStateStore } from 'dray/internal/state/dynamodb-state-store.ts'

export interface TestServices extends Services {
  /** Lets go of the state; what is staged stays. */
  close(): void
}

/** What the stages need, real: a table of a local DynamoDB, and a folder. */
export async function openServices(
  folder: string,
  { endpoint, table = 'state' }: { readonly endpoint: string; readonly table?: string },
): Promise<TestServices> {
  const client = createStateClient({ endpoint })
  await createStateTable(client, table)
  return {
    state: new DynamoDbStateStore(client, table),
    staging: new FolderStagingStore(join(folder, 'staging')),
    signal: new AbortController().signal,
    now: Date.now,
    log: { info: () => {}, warn: () => {} },
    progress: () => {},
    runner: 'test',
    close: () => client.destroy(),
  }
}
