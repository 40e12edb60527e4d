import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import type { Row } from './memory-transaction.ts'
import type { Scenario } from './scenario.ts'

/** The promise was broken. */
export class Divergence extends Error {
  override readonly name = 'Divergence'
}

/** What the oracle knows of a run. */
export interface KnownRun {
  readonly id: string
  readonly startedAt: number
  /** What it was asked to do; of a resumed run what the first one was. */
  readonly mode: Exclude<RunMode, { readonly resume: string }> | null
  /** The runs that it resumes, the latest first. */
  readonly resumes: readonly string[]
  /** Whether its transform takes what was rejected before. */
  readonly isRepaired: boolean
  /** Whether it is bound to another server than the source. */
  readonly isElsewhere: boolean
}

/** What the oracle looks at. */
export interface Witness {
  readonly scenario: Scenario
  now(): number
  /** The committed rows of the table that is compared with the source. */
  targetRows(): readonly Row[]
  /** The bytes of a staged object as they were written, whatever became of them. */
  pristine(key: string): Buffer
  /** The lines of a staged document, as they were written. */
  documents(key: string): readonly unknown[]
  /** Every quarantined row that lies in staging, but for those that a run has closed. */
  quarantined(): readonly QuarantinedRow[]
  /** The epoch that may write. */
  fence(): string | undefined
  lastRun(): string | null
  /** When another state has taken the place of the target's last. */
  targetChangedAt(): number
  /** Whether the state was lost once. */
  isStateLost(): boolean
  /** Since when another pipeline says that it writes the table, as this one must not then; infinity where none does. */
  rivalSince(): number
  /** Codes that others have put into the target, and whether they are there still. */
  others(): ReadonlyMap<string, 'there' | 'taken away'>
  run(id: string): KnownRun
}
