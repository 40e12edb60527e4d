import type { MergeTarget } from '../../adapter.ts'
import type { UniqueKey } from '../describe.ts'
import type { MergeSession } from './session.ts'
import type { MergeSql } from './sql.ts'
import type { TargetTable } from './target-table.ts'

/** What is merged where, by way of a temporary table. */
export interface Merging {
  readonly session: MergeSession
  readonly target: MergeTarget
  readonly live: TargetTable
  /** The unique key that rows are merged by; null where they are inserted and the columns do not cover one. */
  readonly key: UniqueKey | null
  readonly sql: MergeSql
}
