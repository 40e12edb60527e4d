import type { RowCounts, RowTerm } from 'dray/internal/messages/row-counts.ts'

export type { RowCounts }

/** As the row equation has them; written here since what checks messages is too large for a page. */
export const rowTerms = [
  'inserted',
  'updated',
  'unchanged',
  'filtered',
  'duplicate',
  'quarantined',
  'deleted',
  'left',
] as const satisfies readonly RowTerm[]
