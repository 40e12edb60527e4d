import type { Spent } from '#dray/messages/spent.ts'
import type { StagingStore } from '#dray/staging/staging-store.ts'
import type { StateStore } from '#dray/state/state-store.ts'

/** How far a partition is; for progress bars. */
export interface Progress {
  readonly pipeline: string
  /** Null for the plan. */
  readonly partition: number | null
  readonly phase: 'plan' | 'extract' | 'transform' | 'load'
  /** Rows of this partition and phase so far; for the plan the rows of the whole window. */
  readonly rows: number
}

/** What the steps of a pipeline work with; given by the Lambda layer, or by a test. */
export interface Services {
  readonly state: StateStore
  readonly staging: StagingStore
  /** Fires before the deadline of the Lambda. */
  readonly signal: AbortSignal
  /** Milliseconds since 1970; for leases and metrics only, never for a window. */
  readonly now: () => number
  readonly log: {
    info(message: string, details?: Readonly<Record<string, unknown>>): void
    warn(message: string, details?: Readonly<Record<string, unknown>>): void
  }
  /** In ms, until the call is cut off; missing where it is not. */
  readonly timeLeft?: () => number
  readonly progress: (progress: Progress) => void
  /** What runs the steps, for the run's record. */
  readonly runner: string
  /** What this call has taken so far; missing where nothing is billed. */
  readonly spent?: () => Spent
}
