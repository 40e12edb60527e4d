import type { OpenBlocks } from '#dray/block/block.ts'
import { writeStandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import type { MergeResult, MergeTarget } from '../../adapter.ts'
import { describeTable, uniqueKeys } from '../describe.ts'
import type { SqliteSession } from '../session.ts'
import { mergeStaged } from './merge-staged.ts'
import { MergeSql } from './sql.ts'

/**
 * Merges rows into a table by way of a temporary one: checked and bound by the column's type, the last of each key kept,
 * written by one statement, and when that is refused row by row. Of a key that comes more than once the last row counts; when
 * that one is refused, the one before is written in its place.
 */
export async function mergeRows(
  session: SqliteSession,
  target: MergeTarget,
  open: OpenBlocks,
  check: () => void,
): Promise<MergeResult> {
  if (!session.database.isTransaction) {
    throw new TerminalError(`A merge into ${target.table} needs an open transaction, so nothing was written; begin one`)
  }
  const { live, key } = liveTarget(session, target)
  const merging = { session, target, live, key, sql: new MergeSql(target, live, key) }
  const { result, standIns } = await mergeStaged(merging, open, check)
  return writeStandIns(result, standIns, open, (rows) => mergeRows(session, target, rows, check))
}

function liveTarget(session: SqliteSession, { table, columns, key, mode }: MergeTarget) {
  const where = `database ${session.place.name} (${session.place.path})`
  const rows = (sql: string, parameters: readonly string[]) => session.rows(sql, parameters)
  const live = describeTable(rows, table)
  if (live === null) {
    throw new TerminalError(
      `No table ${table} in ${where}, so nothing was written; create it or correct its name in the model`,
    )
  }
  const missing = columns.find((column) => !live.columns.some(({ name }) => name === column))
  if (missing !== undefined) {
    throw new TerminalError(
      `Table ${table} in ${where} has no column ${missing}, so nothing was written; add it or correct the model`,
    )
  }
  const wanted = JSON.stringify([...key].sort())
  const found = uniqueKeys(rows, table, live).find((unique) => JSON.stringify([...unique.columns].sort()) === wanted)
  const covered = key.length > 0 && key.every((column) => columns.includes(column))
  if (mode !== 'insert' && !covered) {
    throw new TerminalError(
      `A merge into ${table} needs its key (${key.join(', ')}) among the columns, so nothing was written`,
    )
  }
  if (mode !== 'insert' && found === undefined) {
    throw new TerminalError(
      `Table ${table} in ${where} has no unique key over (${key.join(', ')}), so rows cannot be merged by it; create a primary key or a unique index over exactly these columns`,
    )
  }
  return { live, key: covered ? (found ?? null) : null }
}
