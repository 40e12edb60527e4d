import type { ItemTable } from './item-table.ts'

/** Of a `STATE_ENDPOINT` that is a file of this machine: `sqlite:<path>`. */
const LOCAL = 'sqlite:'

/**
 * The table of items that `STATE_ENDPOINT` names: a file of this machine, or DynamoDB. Only one of the two is imported:
 * the SDK takes more time than all that a local command does.
 */
export async function openItemTable(): Promise<ItemTable> {
  const { STATE_ENDPOINT: endpoint = '' } = process.env
  if (endpoint.startsWith(LOCAL)) {
    const { SqliteItemTable } = await import('./local/sqlite-item-table.ts')
    return new SqliteItemTable(endpoint.slice(LOCAL.length))
  }
  return (await import('./dynamodb-state-store.ts')).openDynamoDbTable()
}
