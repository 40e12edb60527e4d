import type { MergeTarget } from '../../adapter.ts'
import type { MysqlTable } from '../live-table.ts'
import type { MergeSession } from './session.ts'
import type { MergeStatements } from './sql.ts'
import type { StagingTable } from './staging-table.ts'

/** What is merged where, by way of a temporary table. */
export interface Merging {
  readonly session: MergeSession
  readonly target: MergeTarget
  readonly live: MysqlTable
  readonly staging: StagingTable
  readonly statements: MergeStatements
  readonly signal: AbortSignal | undefined
}
