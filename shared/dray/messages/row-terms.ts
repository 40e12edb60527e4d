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
