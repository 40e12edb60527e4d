import type { PartitionRecord, StepRecord } from 'dray/internal/state/state-store.ts'
import type { Call } from './calls.ts'

/* What the server sends and the client shows, as JSON; both sides know these types alone of each other. */

export interface ColumnDocument {
  readonly name: string
  readonly column: string
  readonly type: string
  readonly isNullable: boolean
  readonly isKey: boolean
  readonly comment: string | null
}

export interface ModelDocument {
  /** `warehouse.order_fact` */
  readonly table: string
  /** The class; null of a table that a replica copies. */
  readonly model: string | null
  readonly comment: string | null
  readonly columns: readonly ColumnDocument[]
}

export interface CheckDocument {
  readonly name: string
  readonly table: string
  readonly severity: 'fail' | 'warn'
}

/** What a step of a workflow runs. */
export interface UnitDocument {
  /** `table` is one of a replica. */
  readonly kind: 'pipeline' | 'replica' | 'table' | 'task' | 'reconcile'
  readonly name: string
  readonly comment: string | null
  readonly owner: string | null
  /** Tables, `sales.orders`; of a replica databases. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  /** How rows are read and written, in words: `what has changed by lastUpdated`, `upsert by orderId`. */
  readonly extract: string | null
  readonly load: string | null
  readonly isWindowed: boolean
  readonly contract: string | null
  readonly deletes: string | null
  readonly checks: readonly CheckDocument[]
  /** Files beside it that test it, and rows that are kept for tests. */
  readonly tests: readonly string[]
  readonly fixtures: readonly string[]
  /** Why it could not be loaded; the rest is empty then. */
  readonly fault: string | null
}

export interface StepDocument {
  readonly name: string
  readonly kind: string
  readonly after: readonly string[]
}

export interface WorkflowDocument {
  readonly name: string
  readonly owner: string | null
  readonly steps: readonly StepDocument[]
  readonly schedules: readonly { readonly expression: string; readonly timezone: string }[]
  readonly events: readonly { readonly source: string; readonly detailType: string }[]
  readonly minInterval: number
}

export interface CatalogueDocument {
  readonly workflows: readonly WorkflowDocument[]
  readonly units: readonly UnitDocument[]
  readonly models: readonly ModelDocument[]
}

/** A table of a replica, with what it copies. */
export interface CopyDocument {
  readonly unit: UnitDocument
  readonly source: ModelDocument
  readonly target: ModelDocument
}

/** What is known of the tables of replicas. */
export interface CopiesDocument {
  readonly tables: readonly CopyDocument[]
  /** Those that have run, and whose plan is not there: `sales-raw/orders`. */
  readonly unknown: readonly string[]
}

/** A project as it is now, or why it cannot be loaded; then the last one that could. */
export interface ProjectDocument {
  readonly catalogue: CatalogueDocument | null
  readonly fault: string | null
}

/** Where the page is, and what it may do. */
export interface PlaceDocument {
  readonly env: string
  readonly version: string
  readonly project: string
  readonly mayAct: boolean
  readonly isMasked: boolean
}

export interface RunDocument {
  readonly id: string
  readonly workflow: string
  readonly only: readonly string[] | null
  readonly status: string
  readonly start: number
  readonly end: number | null
  readonly seconds: number | null
  readonly processed: number
  readonly failed: number
  readonly trigger: string
  readonly runner: string
  /** What it was asked to do in place of a usual run, as JSON. */
  readonly mode: string | null
  readonly error: string | null
}

export interface RunStepDocument
  extends Partial<Omit<StepRecord, 'runId' | 'step' | 'startTime' | 'endTime' | 'status'>> {
  readonly name: string
  readonly after: readonly string[]
  readonly status: string
  /** Milliseconds since 1970, by its calls where these are known. */
  readonly start: number | null
  readonly end: number | null
}

export interface RunDetailDocument {
  readonly run: RunDocument
  readonly steps: readonly RunStepDocument[]
  readonly partitions: readonly Omit<PartitionRecord, 'runId' | 'spent'>[]
  readonly calls: readonly Call[]
  /** Why the log could not be read, so that calls are missing. */
  readonly logFault: string | null
  readonly criticalPath: readonly string[]
  readonly cost: { readonly usDollars: number; readonly planned: number | null; readonly calls: number } | null
}

/** A row of the quarantine, or one that was loaded with findings. */
export interface KeptRowDocument {
  readonly id: string
  readonly pipeline: string
  readonly run: string
  readonly partition: number
  readonly step: string
  readonly errors: readonly { readonly field: string; readonly code: string; readonly message: string }[]
  /** In the order of the source's columns. */
  readonly row: readonly (readonly [column: string, value: string | null])[]
  /** What has become of it; null while it is open. */
  readonly record: { readonly action: string; readonly reason: string; readonly by: string; readonly at: string } | null
}

export interface KeptRowsDocument {
  readonly rows: readonly KeptRowDocument[]
  readonly total: number
  /** How many rows each reason has, the most frequent first; a row may have several. */
  readonly reasons: readonly { readonly reason: string; readonly rows: number }[]
  /** The pipelines that have such rows. */
  readonly pipelines: readonly string[]
  readonly notes: readonly string[]
}

export interface ErrorDocument {
  readonly field: string
  readonly code: string
  readonly message: string
}

/** What a replay of one row would do. */
export interface BesideDocument {
  readonly outcome: string
  readonly errors: readonly ErrorDocument[]
  /** The target's row of the same key, and what would be loaded. */
  readonly columns: readonly {
    readonly name: string
    readonly before: string | null
    readonly after: string | null
    readonly isKey: boolean
    readonly differs: boolean
  }[]
  /** The target has no row of the key yet. */
  readonly isNew: boolean
}

export interface PreviewDocument {
  readonly rows: readonly {
    readonly outcome: string
    readonly source: readonly (readonly [column: string, value: string | null])[]
    readonly target: readonly (readonly [column: string, value: string | null])[] | null
    readonly findings: readonly ErrorDocument[]
    readonly errors: readonly ErrorDocument[]
  }[]
  readonly notes: readonly string[]
  /** Fields that the transform was seen to read, and to give. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
}

export interface CheckedDocument {
  readonly check: string
  readonly verdict: string
  readonly said: string
}

export interface PipelineStateDocument {
  readonly pipeline: string
  readonly lastRun: string | null
  readonly leaseOwner: string | null
  readonly isPending: boolean
  readonly version: number
  readonly countedRows: number | null
}

/** What the next run of a pipeline would read. */
export interface PlanDocument {
  /** Null where all rows are read. */
  readonly window: { readonly from: string | null; readonly to: string } | null
  readonly rows: number
  readonly partitions: number
  readonly seconds: number
  readonly usDollars: number
  readonly notes: readonly string[]
}

/** What a command has seen in the databases of an environment. */
export type LookDocument =
  | { readonly kind: 'tables'; readonly checks: readonly CheckedDocument[] }
  | { readonly kind: 'plan'; readonly plan: PlanDocument }
  | { readonly kind: 'preview'; readonly preview: PreviewDocument }

/** What a step came to in one run. */
export interface HistoryPoint {
  readonly run: string
  readonly start: number
  readonly status: string
  readonly seconds: number | null
  readonly read: number
  readonly quarantined: number
  /** Seconds from `last_run` to the end of the run; null where it is no point in time. */
  readonly lag: number | null
}

/** What a save has changed of a pipeline. */
export interface SavedDocument {
  readonly pipeline: string
  readonly at: number
  /** From the save to the preview, in ms. */
  readonly took: number
  readonly before: PreviewDocument | null
  readonly after: PreviewDocument | null
  readonly fault: string | null
  readonly checks: readonly CheckedDocument[]
}

export interface LoopDocument {
  readonly isWatching: boolean
  readonly saved: readonly SavedDocument[]
  /** Of the compiler, and while it looks. */
  readonly types: { readonly isLooking: boolean; readonly faults: readonly string[] }
  readonly schedules: {
    readonly isOn: boolean
    readonly next: readonly { readonly workflow: string; readonly at: number }[]
  }
  readonly events: readonly { readonly workflow: string; readonly source: string; readonly detailType: string }[]
}
