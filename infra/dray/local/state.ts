import type { DynamoDbStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import { STATE_TABLE_NAME } from './services-protocol.ts'

/** The state store of the local services, which have to be up. */
export async function openState(): Promise<DynamoDbStateStore> {
  const { createStateStore } = await import('dray/internal/state/dynamodb-state-store.ts')
  const { STATE_ENDPOINT } = process.env
  if (!STATE_ENDPOINT) throw new Error('STATE_ENDPOINT is not set: the services are not up.')
  return createStateStore({ tableName: STATE_TABLE_NAME, endpoint: STATE_ENDPOINT })
}
