import type { OpenBlocks } from '#dray/block/block.ts'
import { writeStandIns } from '#dray/database/merge/stand-ins.ts'
import type { MergeResult, MergeTarget } from '../../adapter.ts'
import { tableNameOf } from '../../table-name.ts'
import { mergeOrdered } from './merge-ordered.ts'
import { mergeStaged } from './merge-staged.ts'
import type { MergeSession } from './session.ts'
import { MergeSql } from './sql.ts'
import { stagedColumnOf } from './staged-columns.ts'
import { StagingTable } from './staging-table.ts'
import { loadStraight } from './straight.ts'
import { columnOf, readTargetTable } from './target-table.ts'

/**
 * Merges rows into a table: new ones straight, as long as that is sure to be exact; others into a temporary table of
 * forgiving types first, where duplicates go and rows that the target would refuse or change are taken out, then by one
 * INSERT … SELECT (ON DUPLICATE KEY UPDATE).
 */
export async function mergeRows(session: MergeSession, target: MergeTarget, open: OpenBlocks): Promise<MergeResult> {
  const live = await readTargetTable(session, target)
  const { isMariaDB } = session.facts
  const columns = target.columns.map((name) =>
    stagedColumnOf(columnOf(live, target, name), target.table, isMariaDB, target.texts?.includes(name)),
  )
  const inserted = await loadStraight(session, target, live, open)
  if (inserted !== null) return { inserted, updated: 0, unchanged: 0, duplicate: 0, rejected: [] }
  const staging = new StagingTable(session, tableNameOf(target.table), columns)
  const sql = new MergeSql(target, live, staging)
  const drop = () => staging.drop().catch(() => {})
  const merging = { session, target, live, staging, sql }
  const ordered = await mergeOrdered(merging, open).finally(drop)
  if (ordered !== null) return ordered
  const { result, standIns } = await mergeStaged(merging, open).finally(drop)
  return writeStandIns(result, standIns, open, (rows) => mergeRows(session, target, rows))
}
