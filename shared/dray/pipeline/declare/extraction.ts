import type { FieldsOf } from '#dray/active-record/model.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AnySource } from './any-model.ts'
import { type Duration, secondsOf } from './duration.ts'
import type { FilterPart, RowFilter } from './row-filter.ts'
import { type NarrowedSource, narrowedSource, type SelectionOptions } from './selection.ts'
import { expressionName, expressionParts, isSqlExpression, type SqlExpression } from './sql-expression.ts'
import { zoneNamed } from './zone.ts'

/** Rows whose cursor is NULL are in no window: refuse the run, read them every time, or leave them. */
export type NullCursors = 'error' | 'include' | 'exclude'

/** What tells which rows have changed. */
export interface Cursor {
  /** A time stamp, or the number of the transaction that wrote the row (PostgreSQL's `xid8`). */
  readonly kind: 'timestamp' | 'xid'
  /** What it is called in messages. */
  readonly name: string
  /** The first of them that is not NULL counts; none of an expression. */
  readonly fields: readonly string[]
  /** SQL that rows do not bring along; null where fields say it. */
  readonly expression: readonly FilterPart[] | null
  /** Where open transactions are seen. */
  readonly lagSeconds: number
  /** Where they are not. */
  readonly unseenLagSeconds: number
  /** How much of what has been read before is read again, in seconds. */
  readonly overlapSeconds: number
  readonly nulls: NullCursors
  /** The zone of a column that has none; null where nothing was said. */
  readonly zone: string | null
}

/** What a run reads. */
export interface Extraction<S extends AnySource = AnySource> {
  /** The model with the fields that are read alone. */
  readonly source: S
  /** The model as it was declared. */
  readonly model: AnySource
  /** The rows that the pipeline is about; null for all. */
  readonly filter: RowFilter | null
  /** Null for a full load. */
  readonly cursor: Cursor | null
  /** Rows of a partition, about. */
  readonly partitionRows: number
}

export interface FullLoadOptions<S extends AnySource = AnySource, N extends NameOf<S> = NameOf<S>>
  extends SelectionOptions<S, N> {
  readonly partitionRows?: number
}

type NameOf<S extends AnySource> = keyof FieldsOf<S> & string

const PARTITION_ROWS = 50_000
/** A stamp is taken a little before its transaction begins, and so before the transaction can be seen. */
const LAG: Duration = '2s'
const UNSEEN_LAG: Duration = '5m'

/** Reads the whole table in each run, or all rows of it that `where` chooses. */
export function fullLoad<S extends AnySource, N extends NameOf<S> = never>(
  source: S,
  options: FullLoadOptions<S, N> = {},
): Extraction<NarrowedSource<S, N>> {
  return {
    ...narrowedSource(`fullLoad(${source.definition.table})`, source, options, []),
    cursor: null,
    partitionRows: options.partitionRows ?? PARTITION_ROWS,
  }
}

/** A cursor that is the number of a transaction. */
export interface XidCursor<Name extends string = string> {
  readonly xid: Name
}

/**
 * A column of PostgreSQL's type `xid8` that each writer stamps with `pg_current_xact_id()` (a default and a trigger
 * do). The window ends before the oldest transaction that is still open, which PostgreSQL knows exactly: no lag, no
 * clock, and no row that commits late is missed.
 * https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
 */
export function xid<Name extends string>(field: Name): XidCursor<Name> {
  return { xid: field }
}

export interface ChangedSinceOptions<
  S extends AnySource,
  C extends NameOf<S> = NameOf<S>,
  N extends NameOf<S> = NameOf<S>,
> extends SelectionOptions<S, N> {
  /**
   * The time stamp that every change of a row moves on; several, of which the first counts that is not NULL; SQL that
   * gives one; or `xid('field')`.
   */
  readonly cursor: C | readonly [C, ...C[]] | SqlExpression<Timestamp> | XidCursor<C>
  /**
   * How long a change may take from its stamp to the start of its transaction, or to its commit where open transactions
   * cannot be seen. By default `2s` where they are seen and `5m` where they are not.
   */
  readonly lag?: Duration
  /**
   * What a column without a zone, or a text without an offset, holds: `'UTC'`, or the zone of a clock,
   * `'America/New_York'`. It is asked for where the source's server is not in UTC.
   */
  readonly zone?: string
  /**
   * Reads again what was stamped so long before `last_run`: for sources whose stamps may come late. A load changes
   * nothing by it unless a row has.
   */
  readonly overlap?: Duration
  readonly nulls?: NullCursors
  readonly partitionRows?: number
}

/** Reads the rows that changed since the last run: `[last_run, hi)` of the cursor, where `hi` is settled. */
export function changedSince<S extends AnySource, const C extends NameOf<S> = never, N extends NameOf<S> = never>(
  source: S,
  options: ChangedSinceOptions<S, C, N>,
): Extraction<NarrowedSource<S, N, C>> {
  const what = `changedSince(${source.definition.table})`
  const refuse = (why: string) => new ConfigurationError(`${what}: ${why}`)
  const named = namedCursor(options.cursor, source, refuse)
  const isXid = named.kind === 'xid'
  if (isXid && (options.lag !== undefined || options.overlap !== undefined || options.zone !== undefined)) {
    throw refuse('an xid cursor is exact, so it takes no lag, no overlap and no zone; leave them out')
  }
  return {
    ...narrowedSource(what, source, options, named.fields),
    cursor: {
      ...named,
      lagSeconds: isXid ? 0 : secondsOf(options.lag ?? LAG),
      unseenLagSeconds: isXid ? 0 : secondsOf(options.lag ?? UNSEEN_LAG),
      overlapSeconds: options.overlap === undefined ? 0 : secondsOf(options.overlap),
      nulls: options.nulls ?? 'error',
      zone: options.zone === undefined ? null : zoneNamed(options.zone, what),
    },
    partitionRows: options.partitionRows ?? PARTITION_ROWS,
  }
}

type NamedCursor = Pick<Cursor, 'kind' | 'name' | 'fields' | 'expression'>
type GivenCursor = string | readonly string[] | SqlExpression<Timestamp> | XidCursor

function namedCursor(given: GivenCursor, { definition }: AnySource, refuse: (why: string) => Error): NamedCursor {
  if (isSqlExpression(given)) {
    const expression = expressionParts(given, definition)
    return { kind: 'timestamp', name: expressionName(expression), fields: [], expression }
  }
  const kindOf = (name: string) => definition.byName.get(name)?.field.settings.kind
  if (typeof given === 'object' && 'xid' in given) {
    const name = given.xid
    if (kindOf(name) === 'bigint') return { kind: 'xid', name, fields: [name], expression: null }
    throw refuse(
      `the cursor xid("${name}") is not a bigint field of the model; its column is of PostgreSQL's type xid8, its field bigint()`,
    )
  }
  const fields = [given].flat()
  for (const name of fields) {
    if (kindOf(name) !== 'timestamp')
      throw refuse(
        `the cursor "${name}" is not a timestamp field of the model; name one that every change of a row moves on`,
      )
  }
  if (fields.length > 0 && new Set(fields).size === fields.length)
    return { kind: 'timestamp', name: fields.join(', '), fields, expression: null }
  throw refuse(`the cursor names ${fields.length === 0 ? 'no field' : 'a field twice'}; name each field once`)
}
