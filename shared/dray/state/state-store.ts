import type { CheckResult } from '#dray/messages/check-result.ts'
import { NO_ROWS, type RowCounts } from '#dray/messages/row-counts.ts'
import type { Spent } from '#dray/messages/spent.ts'

/** A refused run has done nothing, since another one held its pipelines. */
export type RunStatus = 'running' | 'success' | 'failed' | 'refused' | 'interrupted'
export type StepStatus = 'running' | 'success' | 'failed' | 'skipped' | 'refused'

/** Which runs are listed. */
export interface RunFilter {
  readonly workflow?: string
  /** Refused ones are among the failed. */
  readonly status?: Exclude<RunStatus, 'refused'>
  readonly limit: number
}

/** A number that was the greatest at a moment of the source's clock. */
export interface GreatestNumber {
  readonly at: string
  readonly greatest: string
}

/** What runs keep of numbers that grow, beside `last_run`. */
export interface SeenNumbers {
  /** Seen while transactions were open that may have drawn smaller ones: once these have ended, it is settled. */
  readonly unsettled?: GreatestNumber | null
  /** The first key that no run has seen, where rows of new keys are read whatever their stamp. */
  readonly keysUntil?: string
  /** The last usual run has read a part of what there was, and left the rest to the runs that follow it. */
  readonly isInParts?: boolean
}

/** Only what is kept beside the source's identity. */
export function seenNumbers(source: SeenNumbers | null): SeenNumbers {
  return {
    ...(source?.unsettled === undefined ? {} : { unsettled: source.unsettled }),
    ...(source?.keysUntil === undefined ? {} : { keysUntil: source.keysUntil }),
    ...(source?.isInParts === undefined ? {} : { isInParts: source.isInParts }),
  }
}

/** The database that rows were read of: another one holds other changes at the same times. */
export interface KnownSource extends SeenNumbers {
  readonly server: string
  readonly database: string
  readonly position: string | null
  /** Not there where a version of Dray that did not keep it has moved `last_run`. */
  readonly table?: KnownTable
}

/** The table in it, and its cursor: of another one `last_run` says nothing. */
export interface KnownTable {
  readonly cursor: string
  readonly ids: readonly string[]
  readonly definition: string | null
  readonly partsFrom: string | null
}

/** One pipeline's `PIPELINE#<name>` / `STATE` item. */
export interface PipelineState {
  readonly pipeline: string
  /**
   * The end (exclusive) of the last window that has landed whole: the database's text of the cursor; null before the
   * first.
   */
  readonly lastRun: string | null
  /** Counts the commits; the condition of each update. */
  readonly version: number
  /** Grows by one with each lease; the fence in the target database refuses writers of an older epoch. */
  readonly epoch: number
  readonly leaseOwner: string | null
  /** Milliseconds since 1970, UTC. */
  readonly leaseExpiresAt: number | null
  /** A refused run asks for a follow-up. */
  readonly pending: boolean
  /** The run that committed last; null before the first. */
  readonly commitOwner: string | null
  /** The epoch of that run. */
  readonly commitEpoch: number
  /** The rows of the target when the last run committed that counted them; null where none did. */
  readonly countedRows: number | null
  /** Whose `lastRun` it is; null where that is not known, as of one that was committed before sources were kept. */
  readonly source: KnownSource | null
}

export interface Lease {
  readonly pipeline: string
  readonly owner: string
  readonly epoch: number
  readonly version: number
  readonly lastRun: string | null
  readonly commitEpoch: number
  readonly source: KnownSource | null
}

export interface RunRecord {
  readonly id: string
  readonly workflow: string
  readonly status: RunStatus
  /** Milliseconds since 1970, UTC. */
  readonly startTime: number
  readonly endTime: number | null
  readonly recordsProcessed: number
  readonly recordsFailed: number
  readonly executionTimeSeconds: number | null
  /** What runs it: `stepfunctions` or `local:<host>:<pid>`. */
  readonly runner: string
  readonly trigger: string
  /** What the run was asked to do instead of its usual window, as JSON; null for a usual run. */
  readonly mode: string | null
  /** The steps that the run was asked for; null for all of its workflow. */
  readonly only: readonly string[] | null
  /** Of replicas among them only these tables; all where it is not said. */
  readonly tables?: readonly string[] | null
  readonly error: string | null
  /** By Finish. */
  readonly spent?: Spent
}

/** What is known of a run when it ends. */
export type RunEnd = Pick<RunRecord, 'status' | 'endTime' | 'recordsProcessed' | 'recordsFailed' | 'error' | 'spent'>

/** What is known of a run when it starts. */
export type RunStart = Pick<RunRecord, 'id' | 'workflow' | 'startTime' | 'runner' | 'trigger'> &
  Partial<Pick<RunRecord, 'mode' | 'only' | 'tables'>>

/** How many tables a replica had in a run, and how many of them did not succeed. */
export interface TableCounts {
  readonly total: number
  readonly failed: number
}

/** What the comparison of a pipeline's source with its target has found. */
export interface ReconciledRows {
  readonly pipeline: string
  readonly missing: number
  readonly extra: number
  readonly different: number
  /** Of the source and of the target. */
  readonly rows: { readonly source: number; readonly target: number }
  readonly ranges: number
  readonly equalByDigest: number
  readonly rowsCompared: number
  /** The first of them; keys of the target by column. */
  readonly first: readonly {
    readonly kind: 'missing' | 'extra' | 'different'
    readonly key: Readonly<Record<string, string | null>>
    readonly columns: readonly string[]
  }[]
}

export interface StepRecord extends RowCounts {
  readonly runId: string
  readonly step: string
  readonly status: StepStatus
  readonly startTime: number | null
  readonly endTime: number | null
  readonly executionTimeSeconds: number | null
  readonly lastRunBefore: string | null
  readonly lastRunAfter: string | null
  /**
   * Target rows that were deleted, marked as deleted, or closed in a history: those that were read and told to be, and
   * those that are gone.
   */
  readonly deleted: number
  /** Of these the ones whose source row is gone; they were not read. */
  readonly gone: number
  /** Findings recorded on rows that were loaded all the same. */
  readonly findings: number
  readonly bytes: number
  /** Why it failed, was skipped or refused; a sentence. */
  readonly error: string | null
  /** What a person should know of the step though it is no fault: sentences; null when there are none. */
  readonly notes: readonly string[] | null
  /** Staging prefix of the quarantined rows and findings, when there are any. */
  readonly quarantine: string | null
  /** By its calls outside of its partitions: the last Plan, Commit, Outcome or the task. */
  readonly spent?: Spent
  /** Of a step that compares a pipeline's source with its target. */
  readonly reconciled?: ReconciledRows
  /** US dollars of this run by the estimate that `dray plan` prints, as Plan knew it. */
  readonly plannedCost?: number
  /** What the checks of its tables have come to; missing where it has none. */
  readonly checks?: readonly CheckResult[]
  /** Who answers for it. */
  readonly owner?: string
  /** Of a replica, whose counts are the sums over its tables, each of which has its record. */
  readonly tables?: TableCounts
}

/** A step of which nothing is known yet. */
export function emptyStep(runId: string, step: string): StepRecord {
  return {
    runId,
    step,
    status: 'running',
    startTime: null,
    endTime: null,
    executionTimeSeconds: null,
    lastRunBefore: null,
    lastRunAfter: null,
    ...NO_ROWS,
    gone: 0,
    findings: 0,
    bytes: 0,
    error: null,
    notes: null,
    quarantine: null,
  }
}

export interface PartitionRecord extends RowCounts {
  readonly runId: string
  readonly pipeline: string
  readonly partition: number
  /** `running` from its first Load until it has landed. What a Load failed of is said by its step. */
  readonly status: 'running' | 'success'
  readonly findings: number
  readonly bytes: number
  /** How often its Load was tried: Extract and Transform, which may be tried more often, know no state. */
  readonly attempts: number
  readonly executionTimeSeconds: number | null
  /** By the Extract, Transform and Load that have succeeded. */
  readonly spent?: Spent
}

/** A partition that has landed. */
export type LandedPartition = Omit<PartitionRecord, 'status' | 'attempts'>

export interface RunDetail {
  readonly run: RunRecord
  readonly steps: readonly StepRecord[]
  readonly partitions: readonly PartitionRecord[]
}

/**
 * `last_run`, the lease and the run metrics. Only single-item conditional updates; a lost reply is settled by
 * re-reading.
 */
export interface StateStore {
  /**
   * Takes the pipeline's lease until `expiresAt`, raising the epoch. The owner that holds it already gets the same
   * lease again (a second delivery). Throws `LeaseHeld` (with owner and expiry) and sets `pending` when another holds
   * it, and `LeaseLost` when the owner was the last to commit this pipeline (a Plan delivered after its run).
   */
  acquireLease(pipeline: string, owner: string, now: number, expiresAt: number): Promise<Lease>
  /**
   * Advances `last_run` to `lastRun` under the lease's epoch and version and gives the lease back: one conditional
   * update. A second call of the same commit has no effect. Throws `LeaseLost` when another has taken over.
   * `lastRun` null leaves `last_run` as it is (a full load). `source` is kept beside it. `follows` sets `pending`:
   * there is more to read. `countedRows` of null leaves what is kept.
   */
  commit(
    lease: Pick<Lease, 'pipeline' | 'owner' | 'epoch' | 'version'>,
    lastRun: string | null,
    source?: KnownSource | null,
    follows?: boolean,
    countedRows?: number | null,
  ): Promise<void>
  /**
   * Raises the epoch of a lease above one that a target has been given by another state store, or by one that was lost.
   * Throws `LeaseLost` when another has taken over.
   */
  raiseEpoch(lease: Lease, above: number): Promise<Lease>
  /** Gives the lease back without advancing, if the owner still holds it; says whether it did. */
  releaseLease(pipeline: string, owner: string): Promise<boolean>
  pipeline(name: string): Promise<PipelineState | null>
  pipelines(): Promise<PipelineState[]>
  /**
   * Overwrites `last_run` (null: forget), with the source that it is of; refused with `LeaseHeld` while a lease is
   * held.
   */
  setLastRun(pipeline: string, lastRun: string | null, now: number, source?: KnownSource | null): Promise<void>
  /** Clears `pending`; says whether it was set. */
  takePending(pipeline: string): Promise<boolean>

  /** Records the run as running, once; a later call changes nothing. */
  startRun(run: RunStart): Promise<void>
  /**
   * Records the end of a run, once; a later call changes nothing. Throws `Terminal` for a run that was never started.
   */
  finishRun(id: string, end: RunEnd): Promise<void>
  /** Replaces what is known of a step; a success is replaced by a success only, and another end by an end. */
  putStep(step: StepRecord): Promise<void>
  /** Counts one more attempt at a partition; one call counts once, however often its request is sent. */
  countAttempt(partition: Pick<PartitionRecord, 'runId' | 'pipeline' | 'partition'>): Promise<void>
  /** Records that a partition has landed; its attempts stay counted. */
  putPartition(partition: LandedPartition): Promise<void>
  /** Steps in the order in which they started, partitions by number. */
  run(id: string): Promise<RunDetail | null>
  /** What is known of a run without its steps; null when no such run is recorded, or not any more. */
  runRecord(id: string): Promise<RunRecord | null>
  /** What is known of one step of a run. */
  stepRecord(run: string, step: string): Promise<StepRecord | null>
  /** The workflow that a run is one of; null when no such run is recorded, or not any more. */
  workflowOf(run: string): Promise<string | null>
  /** Newest first. */
  runs(filter: RunFilter): Promise<RunRecord[]>
}
