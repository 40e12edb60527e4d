import type { FieldsOf } from '#dray/active-record/model.ts'
import type { TableDefinition } from '#dray/active-record/table-definition.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import type { RunReference } from '#dray/messages/stages.ts'
import type { AnyModel } from './any-model.ts'
import type { Check } from './checks.ts'
import { declaredChecks } from './declared-checks.ts'
import { ownerOf } from './owner.ts'

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
 * The tables that a task works with, told as its lineage, and what they have to be like. On AWS its function reaches
 * the databases of these, beside those that the pipelines of its workflow write.
 */
export interface TaskOptions {
  readonly reads?: readonly DatasetModel[]
  readonly writes?: readonly DatasetModel[]
  /** What tables have to be like when the work is done; the step fails where one is not. */
  readonly checks?: readonly TableChecks[]
  /** Who answers for it, a name and a contact: `'data team <data@example.org>'`. */
  readonly owner?: string
}

/** The checks of one table. */
export interface TableChecks {
  readonly model: AnyModel
  readonly checks: readonly Check[]
}

/** The checks of a table that a task writes, by its model. */
export function checked<T extends AnyModel>(
  model: T,
  checks: readonly Check<keyof FieldsOf<NoInfer<T>> & string>[],
): TableChecks {
  return { model, checks }
}

/** A step that is one function, e.g. the refresh of a data mart. The name is its folder under `functions/`. */
export interface Task {
  readonly kind: 'task'
  readonly name: string
  // biome-ignore lint/suspicious/noConfusingVoidType: a task may return nothing.
  readonly work: (context: TaskContext) => Promise<TaskResult | void>
  readonly reads: readonly DatasetModel[]
  readonly writes: readonly DatasetModel[]
  readonly checks: readonly TableChecks[]
  readonly owner: string | null
  /** The names of the databases of all of them. */
  readonly databases: readonly string[]
}

export function task(name: string, work: Task['work'], options: TaskOptions = {}): Task {
  const { reads = [], writes = [], checks = [], owner } = options
  const where = `task('${name}')`
  for (const { model, checks: own } of checks) declaredChecks(own, { where, definition: model.definition })
  const models = [...reads, ...writes, ...checks.map(({ model }) => model)]
  const databases = [...new Set(models.map(({ definition }) => definition.database))]
  return { kind: 'task', name, work, reads, writes, checks, owner: ownerOf(where, owner), databases }
}
