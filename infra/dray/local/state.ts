import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'

/** The state store of the local services, which have to be up. */
export async function openState(): Promise<TableStateStore> {
  if (!process.env.STATE_ENDPOINT) throw new Error('STATE_ENDPOINT is not set: the services are not up.')
  const { openItemTable } = await import('dray/internal/state/open-item-table.ts')
  const { TableStateStore } = await import('dray/internal/state/table-state-store.ts')
  return new TableStateStore(await openItemTable())
}
