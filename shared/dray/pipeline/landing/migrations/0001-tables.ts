import type { OwnTables } from './own-tables.ts'

const name = { kind: 'varchar', length: 100 } as const
const number = { kind: 'bigint' } as const
const instant = { kind: 'timestamp' } as const

/** The tables as they were before they had a version: made where they are missing. */
export async function makeTables(tables: OwnTables): Promise<void> {
  await tables.create('dray_fence', {
    columns: { pipeline: name, epoch: number, run_id: name },
    primaryKey: ['pipeline'],
  })
  await tables.create('dray_ledger', {
    columns: {
      pipeline: name,
      run_id: name,
      partition_number: number,
      epoch: number,
      rows_read: number,
      inserted: number,
      updated: number,
      unchanged: number,
      filtered: number,
      duplicate: number,
      quarantined: number,
      findings: number,
      bytes: number,
      loaded_at: instant,
      note: { kind: 'text', nullable: true },
    },
    primaryKey: ['pipeline', 'run_id', 'partition_number'],
  })
  await tables.create('dray_closing', {
    columns: { pipeline: name, run_id: name, epoch: number, deleted: number, replaced: number, closed_at: instant },
    primaryKey: ['pipeline', 'run_id'],
  })
}
