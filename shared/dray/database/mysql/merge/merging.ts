import type { MergeTarget } from '../../adapter.ts'
import type { MergeSession } from './session.ts'
import type { MergeSql } from './sql.ts'
import type { StagingTable } from './staging-table.ts'
import type { TargetTable } from './target-table.ts'

/** What is merged where, by way of a temporary table. */
export interface Merging {
  readonly session: MergeSession
  readonly target: MergeTarget
  readonly live: TargetTable
  readonly staging: StagingTable
  readonly sql: MergeSql
}
