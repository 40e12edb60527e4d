import type { Row } from 'dray/internal/active-record/fields.ts'
import type { FieldsOf } from 'dray/internal/active-record/model.ts'
import type { ValidationError } from 'dray/internal/active-record/validations.ts'
import type { RowCounts } from 'dray/internal/messages/row-counts.ts'
import type { AnySource, AnyTarget } from 'dray/internal/pipeline/declare/any-model.ts'
import type { TestRow } from './rows.ts'
import type { TestEngine } from './test-databases.ts'

/** What the databases of a test hold, and what time it is there. */
export interface TestRunOptions<S extends AnySource, T extends AnyTarget> {
  /** All rows that the source has. */
  readonly source: readonly TestRow<FieldsOf<S>>[]
  /** Rows that the target has before the run; none by default. */
  readonly target?: readonly TestRow<FieldsOf<T>>[]
  /** Up to where an earlier run has read; by default there was none. */
  readonly lastRun?: string
  /** The databases' clock and the start of the run, in UTC. */
  readonly now: string
  /** `'sqlite'` by default; `'postgres'` for pipelines with SQL of PostgreSQL's. */
  readonly engine?: TestEngine
}

/** What a later run finds. */
export interface NextRunOptions<S extends AnySource> {
  /** All rows that the source has now; as they were by default. */
  readonly source?: readonly TestRow<FieldsOf<S>>[]
  readonly now: string
}

/** What has become of the rows in a run that has succeeded. */
export interface TestedRun<S extends AnySource, T extends AnyTarget> {
  /** All rows of the target, by its key. */
  readonly target: readonly Row<FieldsOf<T>>[]
  /** The rows of the source that this run has quarantined. */
  readonly quarantine: readonly { readonly row: Row<FieldsOf<S>>; readonly errors: readonly ValidationError[] }[]
  /** The row equation: `read` is the sum of the others. */
  readonly counts: RowCounts
  /** Target rows that were deleted, marked as deleted or closed: those told to be, and those that are gone. */
  readonly deleted: number
  /** Null of a full load. */
  readonly lastRun: string | null
  /** What a person should know of the run: sentences. */
  readonly notes: readonly string[]
  /** Runs the pipeline again on the same databases. */
  readonly again: (options: NextRunOptions<S>) => Promise<TestedRun<S, T>>
}
