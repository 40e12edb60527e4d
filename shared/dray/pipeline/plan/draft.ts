import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { SeenNumbers } from '#dray/state/state-store.ts'
import type { Partition } from './partitions.ts'
import type { Window } from './window.ts'

/** What a run is going to read; a plan, once it is tied to a lease and staged. */
export interface Draft {
  readonly window: Window | null
  /** Rows when the plan was made. */
  readonly rows: number
  readonly partitions: readonly Partition[]
  /** Whether Commit moves `last_run` to the end of the window. */
  readonly advances: boolean
  /** Sentences for a person. */
  readonly notes: readonly string[]
  /** What is kept of numbers that grow. */
  readonly seen?: SeenNumbers
  readonly replayed?: Replayed
  /** There is more to read, for a run that follows this one. */
  readonly follows?: true
  /** From this partition on they are rows of the quarantine, which a usual run tries again. */
  readonly retriedFrom?: number
  /** The keys of the rows that are open in the quarantine; none where nothing is. */
  readonly open?: StagedObject
}

/** What a replay sends again, and Commit enters in the quarantine's log. */
export interface Replayed {
  readonly records: StagedObject
}
