import type { OpenBlocks } from '#dray/block/block.ts'
import { landRows } from '#dray/database/merge/landing.ts'
import type { StandIns } from '#dray/database/merge/stand-ins.ts'
import type { MergeResult } from '../../adapter.ts'
import type { Merging } from './merging.ts'
import { StagedRows } from './staged-rows.ts'
import { selfReference } from './target-table.ts'
import { StagedWriter } from './write-rows.ts'

/** So few are written soon, in whatever order. */
const FEW_ROWS = 1_000

/**
 * Merges rows by way of the temporary table. Says of rows that the table refused which others could stand in for them.
 */
export async function mergeStaged(
  merging: Merging,
  open: OpenBlocks,
): Promise<{ readonly result: MergeResult; readonly standIns: StandIns }> {
  const { session, sql } = merging
  session.database.exec('SAVEPOINT dray_merge')
  try {
    const staged = new StagedRows(merging)
    await staged.stage(open)
    const { places } = staged
    const own = places.length < FEW_ROWS ? null : selfReference(merging)
    if (own !== null) session.database.exec(sql.rank(own))
    const writer = new StagedWriter(merging, places)
    const refused = await landRows(writer, places)
    const rejected = await staged.rejected(refused, open)
    session.database.exec(`${sql.dropTable()}; RELEASE dray_merge`)
    const result = { ...writer.written, duplicate: staged.duplicate, rejected }
    return { result, standIns: staged.standIns(refused.keys()) }
  } catch (error) {
    if (session.database.isTransaction) session.database.exec('ROLLBACK TO dray_merge; RELEASE dray_merge')
    throw error
  }
}
