import type { SqliteSession } from '../session.ts'

/** What a merge needs of its connection. Errors are those of node:sqlite. */
export interface MergeSession extends Pick<SqliteSession, 'place' | 'database' | 'rows'> {
  /** Throws `Transient` when the work is to stop. */
  check(): void
}
