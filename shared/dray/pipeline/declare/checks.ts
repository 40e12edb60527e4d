import type { FieldsOf } from '#dray/active-record/model.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { CheckSeverity } from '#dray/messages/check-result.ts'
import type { AnyModel } from './any-model.ts'
import { type Duration, secondsOf } from './duration.ts'
import type { SqlExpression } from './sql-expression.ts'

declare const named: unique symbol

/** What a table has to be like. */
export type Expectation =
  | { readonly kind: 'unique' | 'notNull'; readonly fields: readonly string[] }
  | {
      readonly kind: 'references'
      readonly fields: readonly string[]
      readonly model: AnyModel
      readonly by: readonly string[]
    }
  | { readonly kind: 'between'; readonly fields: readonly string[]; readonly bounds: readonly [Bound, Bound] }
  | { readonly kind: 'accepted'; readonly fields: readonly string[]; readonly values: readonly CheckedValue[] }
  | {
      readonly kind: 'rowCount'
      readonly within: number | null
      readonly min: number | null
      readonly max: number | null
    }
  | { readonly kind: 'freshness'; readonly seconds: number; readonly text: string }
  | { readonly kind: 'noRows'; readonly query: SqlExpression }

export type CheckedValue = string | number | bigint | boolean
type Bound = Exclude<CheckedValue, boolean>

/** A check of a table that a pipeline or a task writes; `F` are the fields that it names. */
export interface Check<F extends string = string> {
  readonly name: string
  readonly severity: CheckSeverity
  /** The rows that it is asked of; null where the run chooses by what it costs. */
  readonly scope: 'run' | 'table' | null
  readonly expects: Expectation
  readonly [named]?: F
}

export interface CheckOptions {
  /** `'fail'` by default: the step fails and `last_run` stays. `'warn'` only says it. */
  readonly severity?: CheckSeverity
  /** What it is called in reports; the check and its fields by default, as `unique(orderId)`. */
  readonly name?: string
}

export interface RowCheckOptions extends CheckOptions {
  /**
   * The rows that the run has loaded, or all of the table. By default those of the run where they are few and their
   * keys are known: see docs/checks.md.
   */
  readonly scope?: 'run' | 'table'
}

/** No two rows have the same value, or values; rows in which one of them is NULL are left out. */
export function unique<const F extends string>(fields: F | readonly F[], options: RowCheckOptions = {}): Check<F> {
  return check({ kind: 'unique', fields: listOf(fields) }, options)
}

/** The field, or each of the fields, is never NULL. */
export function notNull<const F extends string>(fields: F | readonly F[], options: RowCheckOptions = {}): Check<F> {
  return check({ kind: 'notNull', fields: listOf(fields) }, options)
}

/** Each value, unless it is NULL, is that of a row of another model of the same database; by its primary key. */
export function references<const F extends string, M extends AnyModel>(
  fields: F | readonly F[],
  model: M,
  options: RowCheckOptions & {
    readonly by?: (keyof FieldsOf<M> & string) | readonly (keyof FieldsOf<M> & string)[]
  } = {},
): Check<F> {
  const by = options.by === undefined ? model.definition.primaryKey.map(({ name }) => name) : listOf(options.by)
  return check({ kind: 'references', fields: listOf(fields), model, by }, options)
}

/** Each value, unless it is NULL, is neither less than the one nor greater than the other. */
export function between<const F extends string>(
  field: F,
  least: Bound,
  greatest: Bound,
  options: RowCheckOptions = {},
): Check<F> {
  return check({ kind: 'between', fields: [field], bounds: [least, greatest] }, options)
}

/** Each value, unless it is NULL, is one of these. */
export function accepted<const F extends string>(
  field: F,
  values: readonly CheckedValue[],
  options: RowCheckOptions = {},
): Check<F> {
  return check({ kind: 'accepted', fields: [field], values }, options)
}

/**
 * How many rows the table has: within a share of what it had after the last run that committed, as `'20%'`, or at
 * least and at most so many.
 */
export function rowCount(
  expected: { readonly within: `${number}%` } | { readonly min?: number; readonly max?: number },
  options: CheckOptions = {},
): Check<never> {
  const {
    within,
    min = null,
    max = null,
  } = expected as {
    readonly within?: string
    readonly min?: number
    readonly max?: number
  }
  const share = within === undefined ? null : shareOf(within)
  if (share === null && min === null && max === null)
    throw new ConfigurationError("rowCount() says nothing; give { within: '20%' }, or min or max, or both")
  for (const bound of [min, max]) {
    if (bound === null || (Number.isSafeInteger(bound) && bound >= 0)) continue
    throw new ConfigurationError(`rowCount(): ${bound} is no number of rows; give a whole number from 0 on`)
  }
  return check({ kind: 'rowCount', within: share, min, max }, options)
}

/** The newest row of the source, by its cursor, is no older than this by the source's clock. */
export function freshness(age: Duration, options: CheckOptions = {}): Check<never> {
  return check({ kind: 'freshness', seconds: secondsOf(age), text: age }, options)
}

/**
 * A SELECT of the target's engine that gives the rows at fault, and no row where all is well. Models stand for their
 * tables, fields of the pipeline's target for their columns, other values are bound.
 *
 * @example
 * noRows('no order before its customer', sql`select o.order_id from ${TargetOrder} o join …`)
 */
export function noRows(name: string, query: SqlExpression, options: Omit<CheckOptions, 'name'> = {}): Check<never> {
  return check({ kind: 'noRows', query }, { ...options, name })
}

function check<F extends string>(
  expects: Expectation,
  { severity = 'fail', name, ...rest }: RowCheckOptions,
): Check<F> {
  const named = 'fields' in expects ? `${expects.kind}(${expects.fields.join(', ')})` : expects.kind
  return { name: name ?? named, severity, scope: rest.scope ?? null, expects }
}

function listOf<F extends string>(fields: F | readonly F[]): readonly F[] {
  return [fields].flat() as F[]
}

function shareOf(within: string): number {
  const share = /^\d+(?:\.\d+)?%$/.test(within) ? Number(within.slice(0, -1)) / 100 : Number.NaN
  if (share >= 0) return share
  throw new ConfigurationError(`rowCount(): within is ${within}, which is no share; write it as '20%'`)
}
