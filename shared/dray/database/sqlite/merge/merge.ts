import type { OpenBlocks } from '#dray/block/block.ts'
import { writeStandIns } from '#dray/database/merge/stand-ins.ts'
import { tryAgain } from '#dray/database/merge/try-again.ts'
import { TerminalError } from '#dray/errors.ts'
import type { MergeResult, MergeTarget } from '../../adapter.ts'
import { mergeStaged } from './merge-staged.ts'
import type { MergeSession } from './session.ts'
import { MergeSql } from './sql.ts'
import { readTargetTable } from './target-table.ts'

/**
 * Refusals that the landing of other rows can cure: SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_UNIQUE and
 * SQLITE_CONSTRAINT_PRIMARYKEY.
 */
const MAY_LAND = new Set(['787', '2067', '1555'])

/**
 * Merges rows into a table by way of a temporary one: checked and bound by the column's type, the last of each key
 * kept, written by one statement, and when that is refused row by row. Of a key that comes more than once the last row
 * counts; when that one is refused, the one before is written in its place. Rows that were
 * refused are tried again when others have landed.
 */
export async function mergeRows(session: MergeSession, target: MergeTarget, open: OpenBlocks): Promise<MergeResult> {
  if (!session.database.isTransaction) {
    throw new TerminalError(`A merge into ${target.table} needs an open transaction, so nothing was written; begin one`)
  }
  const { live, key } = readTargetTable(session, target)
  const merging = { session, target, live, key, sql: new MergeSql(target, live, key) }
  const mergeOnce = async (rows: OpenBlocks): Promise<MergeResult> => {
    const { result, standIns } = await mergeStaged(merging, rows)
    return writeStandIns(result, standIns, rows, mergeOnce)
  }
  return tryAgain(await mergeOnce(open), (code) => MAY_LAND.has(code), mergeOnce)
}
