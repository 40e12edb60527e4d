import type { FieldsOf } from '#dray/active-record/model.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AnySource } from './any-model.ts'
import { type Duration, secondsOf } from './duration.ts'
import type { FilterPart, RowFilter } from './row-filter.ts'
import { type NarrowedSource, narrowedSource, type SelectionOptions } from './selection.ts'
import { expressionName, expressionParts, isSqlExpression, type SqlExpression } from './sql-expression.ts'
import { chanceIn, volatileIn } from './volatile-sql.ts'
import { zoneNamed } from './zone.ts'

/** Rows whose cursor is NULL are in no window: refuse the run, read them every time, or leave them. */
export type NullCursors = 'error' | 'include' | 'exclude'

/** What tells which rows have changed. */
export interface Cursor {
  /**
   * A time stamp, the number of the transaction that wrote the row (PostgreSQL's `xid8`), or a number that grows with
   * each row that is written.
   */
  readonly kind: 'timestamp' | 'xid' | 'counter'
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
  /** The same of a counter, in numbers. */
  readonly overlapNumbers: number
  readonly nulls: NullCursors
  /** Rows of new keys are read whatever their stamp. */
  readonly lateRows: boolean
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
  /** How much a run reads at most, where there is more than that to read; null for all there is. */
  readonly firstLoad: FirstLoad | null
  /** Rows that all partitions of a run read in a second together; null for as fast as it goes. */
  readonly maxRowsPerSecond: number | null
  /** Connections of the source at once; null for as many as the pipeline has partitions at once. */
  readonly maxConnections: number | null
}

/** The oldest part of what there is to read, by the cursor. */
export type FirstLoad = { readonly rows: number } | { readonly seconds: number }

interface ReadingOptions {
  readonly partitionRows?: number
  /** Spares the source: all partitions of a run together read no more rows than these in a second. */
  readonly maxRowsPerSecond?: number
  /** Spares the source: no more partitions of a run than these at once, whatever the pipeline's `concurrency`. */
  readonly maxConnections?: number
}

type NameOf<S extends AnySource> = keyof FieldsOf<S> & string

export interface FullLoadOptions<S extends AnySource = AnySource, N extends NameOf<S> = NameOf<S>>
  extends SelectionOptions<S, N>,
    ReadingOptions {}

const PARTITION_ROWS = 50_000
/** A stamp is taken a little before its transaction begins, and so before the transaction can be seen. */
const LAG: Duration = '2s'
const UNSEEN_LAG: Duration = '5m'

/** Reads the whole table in each run, or all rows of it that `where` chooses. */
export function fullLoad<S extends AnySource, N extends NameOf<S> = never>(
  source: S,
  options: FullLoadOptions<S, N> = {},
): Extraction<NarrowedSource<S, N>> {
  const what = `fullLoad(${source.definition.table})`
  refuseVolatileQuery(what, source, chanceIn)
  return {
    ...narrowedSource(what, source, options, []),
    cursor: null,
    partitionRows: options.partitionRows ?? PARTITION_ROWS,
    firstLoad: null,
    maxRowsPerSecond: rateOf(options.maxRowsPerSecond, what),
    maxConnections: connectionsOf(options.maxConnections, what),
  }
}

function connectionsOf(most: number | undefined, where: string): number | null {
  if (most === undefined) return null
  if (Number.isInteger(most) && most >= 1) return most
  throw new ConfigurationError(`${where}: maxConnections is ${most}; give a whole number of connections, 1 or more`)
}

function rateOf(rate: number | undefined, where: string): number | null {
  if (rate === undefined) return null
  if (Number.isFinite(rate) && rate >= 1) return rate
  throw new ConfigurationError(`${where}: maxRowsPerSecond is ${rate}; give a number of rows, 1 or more`)
}

function firstLoadOf(
  option: { readonly rows: number } | { readonly chunk: Duration } | undefined,
  isNumber: boolean,
  refuse: (what: string) => Error,
): FirstLoad | null {
  if (option === undefined) return null
  if ('rows' in option) {
    if (Number.isInteger(option.rows) && option.rows >= 1) return { rows: option.rows }
    throw refuse(`firstLoad: { rows: ${option.rows} } is no number of rows; give 1 or more`)
  }
  if (isNumber)
    throw refuse(
      'the cursor is a number and knows no time, so a first load cannot be cut by it; say firstLoad: { rows: … }',
    )
  const seconds = secondsOf(option.chunk)
  if (seconds > 0) return { seconds }
  throw refuse(`firstLoad: { chunk: '${option.chunk}' } has no length; write 30d, 12h or the like`)
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

/** A cursor that is a number. */
export interface CounterCursor<Name extends string = string> {
  readonly counter: Name
}

/**
 * An integer that each row that is written takes from one counter: an id that the database numbers, a row's version.
 * The window ends at the greatest number that was there before every transaction that was open then has ended, since a
 * number is drawn before its row is committed. A change that draws no number is not seen.
 */
export function counter<Name extends string>(field: Name): CounterCursor<Name> {
  return { counter: field }
}

export interface ChangedSinceOptions<
  S extends AnySource,
  C extends NameOf<S> = NameOf<S>,
  N extends NameOf<S> = NameOf<S>,
> extends SelectionOptions<S, N>,
    ReadingOptions {
  /**
   * The time stamp that every change of a row moves on; several, of which the first counts that is not NULL; SQL that
   * gives one; `xid('field')`; or an integer that grows, `counter('field')`.
   */
  readonly cursor: C | readonly [C, ...C[]] | SqlExpression<Timestamp> | XidCursor<C> | CounterCursor<C>
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
   * nothing by it unless a row has. Of a counter so many numbers.
   */
  readonly overlap?: Duration | number
  readonly nulls?: NullCursors
  /**
   * Reads rows whose keys are above all that were there before, also where they come with an older stamp: rows that
   * were imported, or stamped by a device. The primary key is one integer that grows.
   */
  readonly lateRows?: 'byKey'
  /**
   * A run that has more to read than this, as the first one has, reads the oldest part, about so many rows or such a
   * length of the cursor, moves `last_run` to its end, and has another run follow.
   */
  readonly firstLoad?: { readonly rows: number } | { readonly chunk: Duration }
}

/** Reads the rows that changed since the last run: `[last_run, hi)` of the cursor, where `hi` is settled. */
export function changedSince<S extends AnySource, const C extends NameOf<S> = never, N extends NameOf<S> = never>(
  source: S,
  options: ChangedSinceOptions<S, C, N>,
): Extraction<NarrowedSource<S, N, C>> {
  const what = `changedSince(${source.definition.table})`
  const refuse = (why: string) => new ConfigurationError(`${what}: ${why}`)
  refuseVolatileQuery(what, source, volatileIn)
  const named = namedCursor(options.cursor, source, refuse)
  const isXid = named.kind === 'xid'
  if (isXid && (options.lag !== undefined || options.overlap !== undefined || options.zone !== undefined)) {
    throw refuse('an xid cursor is exact, so it takes no lag, no overlap and no zone; leave them out')
  }
  const isCounter = named.kind === 'counter'
  if (isCounter && (options.lag !== undefined || options.zone !== undefined)) {
    throw refuse('a counter knows no time, so it takes no lag and no zone; leave them out')
  }
  if (isCounter && options.overlap === undefined && source.definition.query !== undefined) {
    throw refuse(
      'the cursor is a counter, and a query does not say which counter its numbers are drawn from, so whether smaller ones come later is not known; say how many numbers are read again, overlap: 1000, or name a time stamp',
    )
  }
  if (options.lateRows !== undefined) checkLateRows(named, source, refuse)
  const overlap = overlapOf(named, options.overlap, refuse)
  return {
    ...narrowedSource(what, source, options, named.fields),
    cursor: {
      ...named,
      lagSeconds: isXid || isCounter ? 0 : secondsOf(options.lag ?? LAG),
      unseenLagSeconds: isXid || isCounter ? 0 : secondsOf(options.lag ?? UNSEEN_LAG),
      ...overlap,
      nulls: options.nulls ?? 'error',
      lateRows: options.lateRows === 'byKey',
      zone: options.zone === undefined ? null : zoneNamed(options.zone, what),
    },
    partitionRows: options.partitionRows ?? PARTITION_ROWS,
    firstLoad: firstLoadOf(options.firstLoad, isXid || isCounter, refuse),
    maxRowsPerSecond: rateOf(options.maxRowsPerSecond, what),
    maxConnections: connectionsOf(options.maxConnections, what),
  }
}

/** Throws `Configuration` for a query whose rows are others each time it is asked, while those that it reads stay. */
function refuseVolatileQuery(what: string, { definition }: AnySource, found: (text: string) => string | undefined) {
  const { parts = [] } = definition.query ?? {}
  const texts = parts.flatMap((part) =>
    part.kind === 'sql' ? [part.text] : part.kind === 'value' ? [`'${part.value}'`] : [],
  )
  const volatile = found(texts.join(' '))
  if (volatile === undefined) return
  throw new ConfigurationError(
    chanceIn(texts.join(' ')) === undefined
      ? `${what}: the query asks the clock (${volatile}), so rows come into it and leave it without their cursor moving on, and would be missed; read it with fullLoad(), or leave the clock to the pipeline's own window`
      : `${what}: the query goes by chance (${volatile}), so partitions and later looks at it would see other rows; write what the rows themselves hold`,
  )
}

type NamedCursor = Pick<Cursor, 'kind' | 'name' | 'fields' | 'expression'>
type GivenCursor = string | readonly string[] | SqlExpression<Timestamp> | XidCursor | CounterCursor

function checkLateRows({ kind }: NamedCursor, { definition }: AnySource, refuse: (why: string) => Error): void {
  if (kind !== 'timestamp')
    throw refuse('lateRows is for time stamps: a number cannot be older than it is; leave it out')
  const [key, ...others] = definition.primaryKey.map(({ field }) => field.settings.kind)
  if (others.length === 0 && (key === 'integer' || key === 'bigint')) return
  throw refuse(
    "lateRows: 'byKey' goes by a primary key that is one integer and grows, which this one is not; leave it out, and have `dray reconcile --fix` find rows that came with an old stamp",
  )
}

function overlapOf(
  { kind }: NamedCursor,
  given: Duration | number | undefined,
  refuse: (why: string) => Error,
): Pick<Cursor, 'overlapSeconds' | 'overlapNumbers'> {
  if (given === undefined) return { overlapSeconds: 0, overlapNumbers: 0 }
  if (kind !== 'counter') {
    if (typeof given === 'number')
      throw refuse(`the overlap ${given} has no unit; write it as '1h', '30s' and the like`)
    return { overlapSeconds: secondsOf(given), overlapNumbers: 0 }
  }
  if (typeof given === 'number' && Number.isSafeInteger(given) && given >= 0)
    return { overlapSeconds: 0, overlapNumbers: given }
  throw refuse(`the overlap of a counter is how many numbers are read again, and ${given} is none; write overlap: 1000`)
}

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
  const number = typeof given === 'object' && 'counter' in given ? given.counter : given
  const isNumber = typeof number === 'string' && ['integer', 'bigint'].includes(kindOf(number) ?? '')
  if (isNumber) return { kind: 'counter', name: number, fields: [number], expression: null }
  if (typeof given === 'object' && 'counter' in given)
    throw refuse(
      `the cursor counter("${given.counter}") is not an integer or bigint field of the model; name one that each row takes from a counter`,
    )
  const fields = [given].flat()
  for (const name of fields) {
    if (kindOf(name) !== 'timestamp')
      throw refuse(
        `the cursor "${name}" is neither a timestamp nor an integer field of the model; name one that every change of a row moves on`,
      )
  }
  if (fields.length > 0 && new Set(fields).size === fields.length)
    return { kind: 'timestamp', name: fields.join(', '), fields, expression: null }
  throw refuse(`the cursor names ${fields.length === 0 ? 'no field' : 'a field twice'}; name each field once`)
}
