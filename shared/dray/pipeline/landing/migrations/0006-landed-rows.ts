import type { OwnTables } from './own-tables.ts'

/**
 * The ledger's references to the staged rows of a partition, by which Commit finds keys that two partitions have
 * loaded.
 *
 * Code of before writes none: its partitions are not looked at.
 */
export async function addLandedRows(tables: OwnTables): Promise<void> {
  await tables.add('dray_ledger', 'landed_rows', { kind: 'text', nullable: true })
}
