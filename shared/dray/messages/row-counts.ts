import * as z from 'zod'
import type { Message } from './message.ts'

const count = z.int().nonnegative()

/** What becomes of rows that were read: the right side of the row equation. */
export const rowTerms = [
  'inserted',
  'updated',
  'unchanged',
  'filtered',
  'duplicate',
  'quarantined',
  /** Told to be deleted, by the source's flag or by the transform. */
  'deleted',
  /** Left alone by a load that only inserts, or only updates. */
  'left',
] as const

export type RowTerm = (typeof rowTerms)[number]

/** The row equation: `read` is the sum of the others. */
export const rowCounts = z.object({
  read: count,
  inserted: count,
  updated: count,
  unchanged: count,
  filtered: count,
  duplicate: count,
  quarantined: count,
  deleted: count,
  left: count,
})

export type RowCounts = Message<typeof rowCounts>

export const NO_ROWS: RowCounts = {
  read: 0,
  inserted: 0,
  updated: 0,
  unchanged: 0,
  filtered: 0,
  duplicate: 0,
  quarantined: 0,
  deleted: 0,
  left: 0,
}

/** The right side of the equation. */
export function accountedFor(counts: RowCounts): number {
  return rowTerms.reduce((sum, term) => sum + counts[term], 0)
}
