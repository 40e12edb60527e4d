import type { DatabaseError } from 'pg'
import type { OpenBlocks } from '#dray/block/block.ts'
import { writeStandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import type { MergeResult, MergeTarget } from '../../adapter.ts'
import { isRowFault } from '../translate.ts'
import { judgeDeferred, UNIQUE_VIOLATION } from './attempt.ts'
import type { MergeCounts } from './counts.ts'
import { isolateRows } from './isolate.ts'
import { mergeAtOnce } from './merge-at-once.ts'
import { mergeFew } from './merge-few.ts'
import type { Merging } from './merging.ts'
import { narrowColumns } from './narrow-columns.ts'
import { causeOf, type MergeSession } from './session.ts'
import { copyStraight } from './straight.ts'
import { readTargetTable, refuseRules, requireKey } from './target-table.ts'

/**
 * Merges rows into a table: at once, and when the database refuses or drops a row, again with the bad rows isolated.
 * Rows are compared byte by byte with what is stored (`1.0` and `1.00` differ), and of a key that comes more than once
 * the last row counts; when that one is refused, the one before is written in its place.
 */
export async function mergeRows(session: MergeSession, target: MergeTarget, open: OpenBlocks): Promise<MergeResult> {
  if (!session.inTransaction()) {
    throw new TerminalError(`A merge into ${target.table} needs an open transaction, so nothing was written; begin one`)
  }
  const table = await readTargetTable(async (sql, values) => (await session.run(sql, values)).rows, target)
  refuseRules(session, target, table)
  if (target.mode !== 'insert') await requireKey(session, target, table)
  // Keys are compared as what their columns hold.
  const values = target.texts?.filter((column) => !target.key.includes(column)) ?? []
  const merging = { target, table, narrow: narrowColumns(table, values) }
  // What the transaction did before is no fault of these rows.
  await judgeDeferred(session, table)
  const savepoint = session.name('merge')
  // For this transaction only: instants without an offset are UTC.
  await session.run(`SET LOCAL TIME ZONE 'UTC'; SAVEPOINT ${savepoint}`)
  const counts = await copiedOrMerged(session, merging, open, savepoint)
  await session.run(`RELEASE ${savepoint}`)
  if (counts !== null) return { ...counts, rejected: [] }
  const { result, standIns } = await isolateRows(session, merging, open)
  return writeStandIns(result, standIns, open, (rows) => mergeRows(session, target, rows))
}

/** Null when the database refuses or drops a row, or would change a value of one, or a key comes in two spellings. */
async function copiedOrMerged(
  session: MergeSession,
  merging: Merging,
  open: OpenBlocks,
  savepoint: string,
): Promise<MergeCounts | null> {
  for (const way of [mergeFew, copyStraight, mergeAtOnce]) {
    const { counts, fault } = await attempted(session, savepoint, async () => {
      const counts = await way(session, merging, open)
      await judgeDeferred(session, merging.table)
      return counts
    })
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
