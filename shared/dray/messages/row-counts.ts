import * as z from 'zod'
import type { Message } from './message.ts'
import { rowTerms } from './row-terms.ts'

const count = z.int().nonnegative()

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

/** Every count of the equation, each as `of` tells it. */
export function rowCountsBy(of: (name: keyof RowCounts) => number): RowCounts {
  const names = ['read', ...rowTerms] as const
  return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<keyof RowCounts, number>
}

export const NO_ROWS: RowCounts = rowCountsBy(() => 0)

/** The right side of the equation. */
export function accountedFor(counts: RowCounts): number {
  return rowTerms.reduce((sum, term) => sum + counts[term], 0)
}
