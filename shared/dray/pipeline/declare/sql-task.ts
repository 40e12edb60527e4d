import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { FieldsOf } from '#dray/active-record/model.ts'
import { queryOf } from '#dray/active-record/query.ts'
import { type ColumnDefinition, columnOf, type Query } from '#dray/active-record/table-definition.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AnyTarget } from './any-model.ts'
import type { Check } from './checks.ts'
import type { DatasetModel } from './dataset-model.ts'
import type { SqlExpression } from './sql-expression.ts'

type Names<T extends AnyTarget> = keyof FieldsOf<T> & string

export interface SqlTaskOptions<T extends AnyTarget> {
  /** The table that is written; columns of the SELECT go to its columns of the same names. */
  readonly into: T
  /**
   * Which rows are the same: the primary key or a unique key. New keys are inserted, rows that differ are updated,
   * equal ones are left alone. Left out, the SELECT replaces the whole table.
   */
  readonly by?: Names<T> | readonly Names<T>[]
  /** What becomes of rows that the SELECT has no more; `'ignore'` by default. `soft` names the field of the mark. */
  readonly deletes?:
    | 'ignore'
    | 'hard'
    | { readonly hard: true; readonly most?: number }
    | { readonly soft: Names<T>; readonly most?: number }
  /** Of a table that is replaced the share of its rows by which it may shrink; 0.1 by default, 1 for any. */
  readonly most?: number
  /** A SELECT without rows may empty the table. */
  readonly allowEmpty?: boolean
  /** What the table has to be like; asked before anything is kept. */
  readonly checks?: readonly Check<Names<NoInfer<T>>>[]
  /** Models that the SQL reads without naming them, for lineage and for rights. */
  readonly reads?: readonly DatasetModel[]
  /** Who answers for it, a name and a contact: `'data team <data@example.org>'`. */
  readonly owner?: string
}

/** What becomes of rows that the SELECT has no more. */
export interface SqlDeletes {
  readonly kind: 'ignore' | 'hard' | 'soft'
  readonly field: ColumnDefinition | null
  readonly most: number
}

/** The work of a task that is SQL. */
export interface SqlWork {
  readonly query: Query
  readonly into: AnyTarget
  /** Empty where the whole table is replaced. */
  readonly by: readonly ColumnDefinition[]
  readonly deletes: SqlDeletes
  /** Of a table that is replaced. */
  readonly most: number
  readonly allowEmpty: boolean
  /** The SELECT reads what has landed since the last run. */
  readonly isWindowed: boolean
}

const MOST = 0.1

/** Throws `Configuration` for what could never run, or would lose rows. */
export function sqlWorkOf<T extends AnyTarget>(
  where: string,
  query: SqlExpression,
  { into, by, deletes, most = MOST, allowEmpty = false }: SqlTaskOptions<T>,
): SqlWork {
  try {
    const { definition } = into
    const select = queryOf(query, {
      database: definition.database,
      of: definition,
      gives: `, whose columns are those of ${definition.table}`,
      elsewhere: 'load it into this one by a pipeline, and read it here',
      hasWindow: true,
    })
    const work: SqlWork = {
      query: select,
      into,
      by: by === undefined ? [] : [by].flat().map((name) => columnOf(definition, name)),
      deletes: deletesOf(into, deletes),
      most: share('most', most),
      allowEmpty,
      isWindowed: select.parts.some(({ kind }) => kind === 'landed'),
    }
    refuseUnselectedKey(work)
    refuseCombined(work, deletes !== undefined)
    return work
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ConfigurationError(`${where}: ${error.message}`, { cause: error })
  }
}

function deletesOf({ definition }: AnyTarget, option: SqlTaskOptions<AnyTarget>['deletes']): SqlDeletes {
  if (option === undefined || option === 'ignore') return { kind: 'ignore', field: null, most: MOST }
  if (option === 'hard') return { kind: 'hard', field: null, most: MOST }
  const most = share('deletes: most', option.most ?? MOST)
  if ('hard' in option) return { kind: 'hard', field: null, most }
  const field = columnOf(definition, option.soft)
  const { kind, isNullable, isLanded } = field.field.settings
  if (!isLanded && (kind === 'boolean' || (kind === 'timestamp' && isNullable))) return { kind: 'soft', field, most }
  throw new ConfigurationError(
    `deletes: the field "${option.soft}" is neither a nullable timestamp nor a boolean of ${definition.table}`,
  )
}

function share(what: string, value: number): number {
  if (value >= 0 && value <= 1) return value
  throw new ConfigurationError(`${what} is ${value}; give a share from 0 to 1`)
}

function refuseUnselectedKey(work: SqlWork): void {
  const selected = selectedColumns(work)
  const other = work.by.find((column) => !selected.includes(column))
  if (other === undefined) return
  throw new ConfigurationError(
    `by: ${other.name} is filled by the database or by the task itself, so no row of the SELECT has one; name fields that the SELECT gives`,
  )
}

function refuseCombined({ by, deletes, isWindowed, into }: SqlWork, saysDeletes: boolean): void {
  const { table } = into.definition
  if (by.length === 0 && isWindowed) {
    throw new ConfigurationError(
      `landed() reads some of the rows, and without by they would replace all of ${table}; say by which fields rows are the same: { by: … }`,
    )
  }
  if (by.length === 0 && saysDeletes) {
    throw new ConfigurationError(
      `deletes goes with by: without it the SELECT replaces all rows of ${table}; leave one of them out`,
    )
  }
  if (deletes.kind !== 'ignore' && isWindowed) {
    throw new ConfigurationError(
      `deletes: '${deletes.kind}' takes rows away that the SELECT does not have, and with landed() it has only what is new, so it would take away the rest of ${table}; leave deletes out, or landed()`,
    )
  }
}

/** The columns that a SELECT has to have: those that nothing else fills. */
export function selectedColumns({ into, deletes }: Pick<SqlWork, 'into' | 'deletes'>): readonly ColumnDefinition[] {
  return bulkColumns(into.definition).filter((column) => !filledBySelf(column) && column !== deletes.field)
}

/** The columns that the task fills itself, beside the mark of rows that are gone. */
export function filledBySelf({ field: { settings } }: ColumnDefinition): boolean {
  return settings.isTouched
}
