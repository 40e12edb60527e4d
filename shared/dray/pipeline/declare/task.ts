import type { TableDefinition } from '#dray/active-record/table-definition.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import type { RunReference } from '#dray/messages/stages.ts'

/** Rows that a task wrote, for the table of steps. */
export interface TaskResult {
  readonly read?: number
  readonly inserted?: number
  readonly updated?: number
  readonly unchanged?: number
}

export interface TaskContext {
  readonly run: RunReference
  readonly runStartedAt: Timestamp
  /** Fires before the deadline. */
  readonly signal: AbortSignal
}

/** A model, as far as it says which table it is. */
export interface DatasetModel {
  readonly definition: TableDefinition
}

/**
 * The tables that a task works with; told as its lineage. On AWS its function reaches the databases of these, beside
 * those that the pipelines of its workflow write.
 */
export interface TaskDatasets {
  readonly reads?: readonly DatasetModel[]
  readonly writes?: readonly DatasetModel[]
}

/** A step that is one function, e.g. the refresh of a data mart. The name is its folder under `functions/`. */
export interface Task {
  readonly kind: 'task'
  readonly name: string
  // biome-ignore lint/suspicious/noConfusingVoidType: a task may return nothing.
  readonly work: (context: TaskContext) => Promise<TaskResult | void>
  readonly reads: readonly DatasetModel[]
  readonly writes: readonly DatasetModel[]
  /** The names of the databases of both. */
  readonly databases: readonly string[]
}

export function task(name: string, work: Task['work'], { reads = [], writes = [] }: TaskDatasets = {}): Task {
  const databases = [...new Set([...reads, ...writes].map(({ definition }) => definition.database))]
  return { kind: 'task', name, work, reads, writes, databases }
}
