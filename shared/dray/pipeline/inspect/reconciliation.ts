import type { Text } from '#dray/block/block.ts'

/** One row that is not as it should be. Keys are by column. */
export interface RowDifference {
  readonly kind: 'missing' | 'extra' | 'different'
  /** The key in the target. */
  readonly key: Readonly<Record<string, Text>>
  /** The key of the source row; null for an extra row that the source does not have. */
  readonly sourceKey: readonly Text[] | null
  /** The columns of the target that differ, of a row that is there. */
  readonly columns: readonly string[]
}

export interface Reconciliation {
  readonly pipeline: string
  readonly source: { readonly table: string; readonly rows: number }
  readonly target: { readonly table: string; readonly rows: number }
  /** Key ranges of the source. */
  readonly ranges: number
  /** Ranges whose digests, computed in the databases, are the same: their rows were not read. */
  readonly equalByDigest: number
  /** Source rows that were read, transformed and compared. */
  readonly rowsCompared: number
  readonly columns: readonly string[]
  readonly counts: Readonly<Record<RowDifference['kind'], number>>
  /** Source rows that are not looked for in the target, and why. */
  readonly leftOut: Readonly<Record<'filtered' | 'deleted' | 'quarantined' | 'pending', number>>
  /** The first differences; `counts` has all. */
  readonly differences: readonly RowDifference[]
  /** Sentences for a person. */
  readonly notes: readonly string[]
}

export interface ReconcileOptions {
  /** Reads and compares every row, even where the digests that the databases compute are the same. */
  readonly deep?: boolean
  /** Rows of a range; 2,000 by default. */
  readonly rangeRows?: number
  /** Differences that are kept; 10,000 by default. */
  readonly limit?: number
  /** Called after each range with the source's rows so far. */
  readonly onRows?: (rows: number) => void
}

/** How far a comparison has come, as one call leaves it to the next. */
export interface ComparisonState {
  phase: 'rows' | 'newest' | 'extra' | 'count' | 'again' | 'done'
  /** The key of the source behind which the phase goes on; null at its beginning. */
  from: readonly string[] | null
  /** Up to where runs had read when the comparison began. */
  readonly before: { readonly lastRun: string | null; readonly keysUntil?: string | undefined }
  readonly notes: string[]
  differences: RowDifference[]
  readonly counts: Record<RowDifference['kind'], number>
  readonly leftOut: Record<keyof Reconciliation['leftOut'], number>
  sourceRows: number
  targetRows: number
  ranges: number
  equal: number
  compared: number
  staleFiltered: number
  /** Rows that differ and have an open entry. */
  waiting: number
  /** Of the rows that are extra those that were found by their range. */
  extraInRanges: number
  /** Several source rows may be one row of the target. */
  hasOtherKeys: boolean
  /** The target's key is the source's, as far as the rows that were transformed show it. */
  keepsKey: boolean
  /** Hashes of the keys of rows that differ; no longer kept when they are too many. */
  differing: number[] | null
  /** Columns of the target that hold the start of a run. */
  ofTheRun: string[]
  /** The newest source rows of the keys that differ, while they are looked for. */
  newest: (readonly Text[])[]
}
