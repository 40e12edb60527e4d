import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import type { WorkflowSlots } from 'dray/internal/state/workflow-slots.ts'
import { fileOfEndpoint, prepareStateFile } from './state-file.ts'

/** The state store of this machine, once `startServices` has made it ready. Of runs it forgets what has expired. */
export async function openState(): Promise<TableStateStore> {
  const file = fileOfEndpoint(process.env.STATE_ENDPOINT ?? '')
  if (file === null) throw new Error('STATE_ENDPOINT names no file: the services are not up.')
  const { table, state } = await opened(file)
  table.removeExpired(Date.now())
  return state
}

/** The same of a folder, which need not be one that a command works in. */
export async function openStateIn(home: string): Promise<TableStateStore> {
  return (await opened(fileOfEndpoint(await prepareStateFile(home)) as string)).state
}

async function opened(file: string) {
  const { SqliteItemTable } = await import('dray/internal/state/local/sqlite-item-table.ts')
  const { TableStateStore } = await import('dray/internal/state/table-state-store.ts')
  const table = new SqliteItemTable(file)
  return { table, state: new TableStateStore(table) }
}

/** What waits for the runs of workflows, in the same file. */
export async function openSlots(): Promise<WorkflowSlots> {
  const { SqliteItemTable } = await import('dray/internal/state/local/sqlite-item-table.ts')
  const { TableWorkflowSlots } = await import('dray/internal/state/table-workflow-slots.ts')
  return new TableWorkflowSlots(new SqliteItemTable(fileOfEndpoint(process.env.STATE_ENDPOINT ?? '') as string))
}
