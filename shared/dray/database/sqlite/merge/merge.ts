import type { OpenBlocks } from '#dray/block/block.ts'
import { writeStandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import type { MergeResult, MergeTarget } from '../../adapter.ts'
import { mergeStaged } from './merge-staged.ts'
import type { MergeSession } from './session.ts'
import { MergeSql } from './sql.ts'
import { readTargetTable } from './target-table.ts'

/**
 * Merges rows into a table by way of a temporary one: checked and bound by the column's type, the last of each key
 * kept, written by statements that each count what they do, and those that are refused found by bisection. Of a key
 * that comes more than once the last row counts; when that one is refused, the one before is written in its place.
 */
export async function mergeRows(session: MergeSession, target: MergeTarget, open: OpenBlocks): Promise<MergeResult> {
  if (!session.database.isTransaction) {
    throw new TerminalError(`A merge into ${target.table} needs an open transaction, so nothing was written; begin one`)
  }
  const { live, key } = readTargetTable(session, target)
  const merging = { session, target, live, key, sql: new MergeSql(target, live, key) }
  const { result, standIns } = await mergeStaged(merging, open)
  return writeStandIns(result, standIns, open, (rows) => mergeRows(session, target, rows))
}
