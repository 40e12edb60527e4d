import type { DatabaseError } from 'pg'
import type { OpenBlocks } from '#dray/block/block.ts'
import { writeStandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import type { MergeResult, MergeTarget } from '../../adapter.ts'
import { isRowFault } from '../translate.ts'
import type { MergeCounts } from './counts.ts'
import { isolateRows } from './isolate.ts'
import { mergeAtOnce } from './merge-at-once.ts'
import { mergeFew } from './merge-few.ts'
import type { Merging } from './merging.ts'
import { narrowColumns } from './narrow-columns.ts'
import { causeOf, type MergeSession } from './session.ts'
import { copyStraight } from './straight.ts'
import { readTargetTable, requireKey } from './target-table.ts'

const UNIQUE_VIOLATION = '23505'

/**
 * Merges rows into a table: at once, and when the database refuses a row, again with the bad rows isolated. Rows are
 * compared byte by byte with what is stored (`1.0` and `1.00` differ), and of a key that comes more than once the last
 * row counts; when that one is refused, the one before is written in its place.
 *
 * A row that another transaction deletes and inserts again while the merge waits for it stays as the other wrote it.
 */
export async function mergeRows(session: MergeSession, target: MergeTarget, open: OpenBlocks): Promise<MergeResult> {
  if (!session.inTransaction()) {
    throw new TerminalError(`A merge into ${target.table} needs an open transaction, so nothing was written; begin one`)
  }
  if (target.mode !== 'insert') await requireKey(session, target)
  const table = await readTargetTable(async (sql, values) => (await session.run(sql, values)).rows, target)
  const narrow = narrowColumns(table)
  const savepoint = session.name('merge')
  // For this transaction only: instants without an offset are UTC.
  await session.run(`SET LOCAL TIME ZONE 'UTC'; SAVEPOINT ${savepoint}`)
  const counts = await copiedOrMerged(session, { target, table, narrow }, open, savepoint)
  await session.run(`RELEASE ${savepoint}`)
  if (counts !== null) return { ...counts, rejected: [] }
  const { result, standIns } = await isolateRows(session, target, narrow, open)
  return writeStandIns(result, standIns, open, (rows) => mergeRows(session, target, rows))
}

/** Null when the database refuses a row, or would change a value of one. */
async function copiedOrMerged(
  session: MergeSession,
  merging: Merging,
  open: OpenBlocks,
  savepoint: string,
): Promise<MergeCounts | null> {
  for (const way of [mergeFew, copyStraight, mergeAtOnce]) {
    const { counts, fault } = await attempted(session, savepoint, () => way(session, merging, open))
    if (counts !== null) return counts
    if (fault !== null && fault.code !== UNIQUE_VIOLATION) return null
  }
  return null
}

interface Attempt {
  readonly counts: MergeCounts | null
  readonly fault: DatabaseError | null
}

/** Runs `work` under the savepoint, which stays; a row's fault undoes what it did, as null does. */
async function attempted(
  session: MergeSession,
  savepoint: string,
  work: () => Promise<MergeCounts | null>,
): Promise<Attempt> {
  let fault: DatabaseError | null = null
  try {
    const counts = await work()
    if (counts !== null) return { counts, fault }
  } catch (error) {
    const cause = causeOf(error)
    if (!isRowFault(cause)) {
      await session.run(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`).catch(() => {})
      throw error
    }
    fault = cause
  }
  await session.run(`ROLLBACK TO ${savepoint}`)
  return { counts: null, fault }
}
