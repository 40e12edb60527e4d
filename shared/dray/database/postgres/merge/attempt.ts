import type { DatabaseError } from 'pg'
import { decodeLine } from '#dray/block/copy-text.ts'
import { DROPPED, type MergeTarget, type RejectedRow } from '../../adapter.ts'
import { columnOf, isRowFault, messageOf } from '../translate.ts'
import { causeOf, type MergeSession } from './session.ts'
import type { TargetTable } from './target-table.ts'

export const UNIQUE_VIOLATION = '23505'
const NOT_NULL_VIOLATION = '23502'
const CHECK_VIOLATION = '23514'
const VALUE_CLASS = '22'

/** Rows that a statement neither wrote nor left alone, though it refused none. */
export class DroppedRows extends Error {
  readonly code = DROPPED
  /** Which they are, where that is known. */
  readonly ranks: readonly number[]

  constructor({ table }: MergeTarget, ranks: readonly number[] = []) {
    super(
      `the database took the row without an error but did not write it to ${table}: a trigger that returns NULL or changes the key, a row-level policy, or a view's INSTEAD OF trigger dropped it; mend it, or filter such rows out`,
    )
    this.ranks = ranks
  }
}

export type Fault = DatabaseError | DroppedRows

export type Reason = Pick<RejectedRow, 'code' | 'column' | 'message'>

/** Runs `work` under a savepoint; a row's fault undoes it and is returned, anything else is thrown. */
export async function tried(session: MergeSession, work: () => Promise<void>): Promise<Fault | null> {
  const savepoint = session.name('try')
  await session.run(`SAVEPOINT ${savepoint}`)
  try {
    await work()
  } catch (error) {
    const cause = causeOf(error)
    if (!(isRowFault(cause) || cause instanceof DroppedRows)) throw error
    await session.run(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`)
    return cause
  }
  await session.run(`RELEASE ${savepoint}`)
  return null
}

/** Has the server judge now what it would judge at COMMIT, where it could not say which row is at fault. */
export async function judgeDeferred(session: MergeSession, { deferred }: TargetTable): Promise<void> {
  if (deferred === null) return
  await session.run(`SET CONSTRAINTS ${deferred} IMMEDIATE; SET CONSTRAINTS ${deferred} DEFERRED`)
}

export function reasonOf(fault: Fault, target: MergeTarget, line: string | null = null): Reason {
  if (fault instanceof DroppedRows) return { code: fault.code, column: null, message: fault.message }
  const nul = line === null || !line.includes('\0') ? -1 : decodeLine(line).findIndex((field) => field?.includes('\0'))
  const column = nul >= 0 ? (target.columns[nul] ?? null) : columnOf(fault)
  return { code: fault.code ?? '', column, message: messageOf(fault) }
}

/** Whether the row's own values are at fault, so that no other row could mend it. */
export function isOwnFault(fault: Fault): boolean {
  if (fault instanceof DroppedRows) return false
  const { code = '', constraint } = fault
  return (
    code.startsWith(VALUE_CLASS) || code === NOT_NULL_VIOLATION || (code === CHECK_VIOLATION && Boolean(constraint))
  )
}
