import type { FieldsOf } from '#dray/active-record/model.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { RunReference } from '#dray/messages/stages.ts'
import type { WrittenTable } from '#dray/messages/written-table.ts'
import type { AnyModel, AnyTarget } from './any-model.ts'
import type { Check } from './checks.ts'
import type { DatasetModel } from './dataset-model.ts'
import { declaredChecks } from './declared-checks.ts'
import { ownerOf } from './owner.ts'
import { isSqlExpression, type SqlExpression } from './sql-expression.ts'
import { type SqlTaskOptions, type SqlWork, sqlWorkOf } from './sql-task.ts'

/** Rows that a task wrote, for the table of steps. */
export interface TaskResult {
  readonly read?: number
  readonly inserted?: number
  readonly updated?: number
  readonly unchanged?: number
  readonly deleted?: number
}

export interface TaskContext {
  readonly run: RunReference
  readonly runStartedAt: Timestamp
  /** Fires before the deadline. */
  readonly signal: AbortSignal
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

// biome-ignore lint/suspicious/noConfusingVoidType: a task may return nothing.
export type TaskWork = (context: TaskContext) => Promise<TaskResult | void>

/**
 * A step that is one function, or one SELECT, e.g. the refresh of a data mart. The name is its folder under
 * `functions/`.
 */
export interface Task {
  readonly kind: 'task'
  readonly name: string
  readonly work: TaskWork | SqlWork
  readonly reads: readonly DatasetModel[]
  readonly writes: readonly DatasetModel[]
  readonly checks: readonly TableChecks[]
  readonly owner: string | null
  /** The names of the databases of all of them. */
  readonly databases: readonly string[]
}

/** A task that is one SELECT. */
export interface SqlTask extends Task {
  readonly work: SqlWork
  readonly written: WrittenTable
}

export function isSqlTask(task: Task): task is SqlTask {
  return typeof task.work !== 'function'
}

export function task(name: string, work: TaskWork, options?: TaskOptions): Task
/**
 * A SELECT in the warehouse that makes, or merges into, a table there, in one transaction.
 *
 * @example
 * task('customer-totals', sql`select customer_id, count(*) as orders from ${TargetOrder} group by 1`, {
 *   into: CustomerTotal,
 *   by: 'customerId',
 *   deletes: 'hard',
 * })
 */
export function task<T extends AnyTarget>(name: string, query: SqlExpression, options: SqlTaskOptions<T>): SqlTask
export function task(
  name: string,
  work: TaskWork | SqlExpression,
  options: TaskOptions | SqlTaskOptions<AnyTarget> = {},
): Task {
  const where = `task('${name}')`
  if (isSqlExpression(work)) return sqlTask(where, name, work, options as SqlTaskOptions<AnyTarget>)
  return taskOf(where, name, work, options as TaskOptions)
}

function sqlTask(where: string, name: string, query: SqlExpression, options: SqlTaskOptions<AnyTarget>): SqlTask {
  if (options.into === undefined) {
    throw new ConfigurationError(`${where}: a SELECT needs a table for its rows; name its model: { into: … }`)
  }
  const { into, reads = [], checks = [], owner } = options
  const work = sqlWorkOf(where, query, options)
  const named = work.query.tables.map((definition) => ({ definition }))
  const written = {
    database: into.definition.database,
    table: into.definition.table,
    alone: aloneBecause(work),
  }
  const declared = taskOf(where, name, work, {
    reads: [...named, ...reads.filter(({ definition }) => !named.some((one) => one.definition === definition))],
    writes: [into],
    checks: [{ model: into, checks }],
    ...(owner === undefined ? {} : { owner }),
  })
  return { ...declared, work, written }
}

/** Why nothing else may write the table; null where the task leaves alone what it has not written. */
function aloneBecause({ by, deletes }: SqlWork): string | null {
  if (by.length === 0) return 'replaces all of it'
  return deletes.kind === 'ignore' ? null : `takes away rows that its SELECT does not have (deletes: '${deletes.kind}')`
}

function taskOf(where: string, name: string, work: Task['work'], options: TaskOptions): Task {
  const { reads = [], writes = [], checks = [], owner } = options
  for (const { model, checks: own } of checks) declaredChecks(own, { where, definition: model.definition })
  const models = [...reads, ...writes, ...checks.map(({ model }) => model)]
  const databases = [...new Set(models.map(({ definition }) => definition.database))]
  return { kind: 'task', name, work, reads, writes, checks, owner: ownerOf(where, owner), databases }
}
