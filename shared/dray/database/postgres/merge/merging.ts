import type { MergeTarget } from '../../adapter.ts'
import type { NarrowColumn } from './narrow-columns.ts'
import type { TargetTable } from './target-table.ts'

/** What is written, and what the database has. */
export interface Merging {
  readonly target: MergeTarget
  readonly table: TargetTable
  readonly narrow: readonly NarrowColumn[]
}
