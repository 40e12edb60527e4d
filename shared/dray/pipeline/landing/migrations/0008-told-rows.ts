import type { OwnTables } from './own-tables.ts'

/**
 * The ledger's counts of rows that were told to be deleted and of those that the load has left alone, and the staged
 * keys of the former, which Commit deletes.
 *
 * Code of before writes none: its partitions have no such rows.
 */
export async function addToldRows(tables: OwnTables): Promise<void> {
  await tables.add('dray_ledger', 'deleted', { kind: 'bigint', nullable: true })
  await tables.add('dray_ledger', 'left_alone', { kind: 'bigint', nullable: true })
  await tables.add('dray_ledger', 'told', { kind: 'text', nullable: true })
}
