import type { FieldsOf } from '#dray/active-record/model.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AnySource } from './any-model.ts'
import { type Duration, secondsOf } from './duration.ts'
import { zoneNamed } from './zone.ts'

/** Rows whose cursor is NULL are in no window: refuse the run, read them every time, or leave them. */
export type NullCursors = 'error' | 'include' | 'exclude'

/** What tells which rows have changed. */
export interface Cursor {
  /** A time stamp, or the number of the transaction that wrote the row (PostgreSQL's `xid8`). */
  readonly kind: 'timestamp' | 'xid'
  readonly name: string
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
  readonly source: S
  /** Null for a full load. */
  readonly cursor: Cursor | null
  /** Rows of a partition, about. */
  readonly partitionRows: number
  /** How much a run reads at most, where there is more than that to read; null for all there is. */
  readonly firstLoad: FirstLoad | null
  /** Rows that all partitions of a run read in a second together; null for as fast as it goes. */
  readonly rowsPerSecond: number | null
}

/** The oldest part of what there is to read, by the cursor. */
export type FirstLoad = { readonly rows: number } | { readonly seconds: number }

interface ReadingOptions {
  readonly partitionRows?: number
  /** Spares the source: all partitions of a run together read no more rows than these in a second. */
  readonly rowsPerSecond?: number
}

export interface FullLoadOptions extends ReadingOptions {}

const PARTITION_ROWS = 50_000
/** A stamp is taken a little before its transaction begins, and so before the transaction can be seen. */
const LAG: Duration = '2s'
const UNSEEN_LAG: Duration = '5m'

/** Reads the whole table in each run. */
export function fullLoad<S extends AnySource>(source: S, options: FullLoadOptions = {}): Extraction<S> {
  const rowsPerSecond = rateOf(options.rowsPerSecond, `fullLoad(${source.definition.table})`)
  return {
    source,
    cursor: null,
    partitionRows: options.partitionRows ?? PARTITION_ROWS,
    firstLoad: null,
    rowsPerSecond,
  }
}

function rateOf(rate: number | undefined, where: string): number | null {
  if (rate === undefined) return null
  if (Number.isFinite(rate) && rate >= 1) return rate
  throw new ConfigurationError(`${where}: rowsPerSecond is ${rate}; give a number of rows, 1 or more`)
}

function firstLoadOf(
  option: ChangedSinceOptions<AnySource>['firstLoad'],
  isXid: boolean,
  refuse: (what: string) => Error,
): FirstLoad | null {
  if (option === undefined) return null
  if ('rows' in option) {
    if (Number.isInteger(option.rows) && option.rows >= 1) return { rows: option.rows }
    throw refuse(`firstLoad: { rows: ${option.rows} } is no number of rows; give 1 or more`)
  }
  if (isXid)
    throw refuse('an xid cursor knows no time, so a first load cannot be cut by it; say firstLoad: { rows: … }')
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

export interface ChangedSinceOptions<S extends AnySource> extends ReadingOptions {
  /** The time stamp that every change of a row moves on; or `xid('field')`. */
  readonly cursor: (keyof FieldsOf<S> & string) | XidCursor<keyof FieldsOf<S> & string>
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
  /**
   * A run that has more to read than this, as the first one has, reads the oldest part, about so many rows or such a
   * length of the cursor, moves `last_run` to its end, and has another run follow.
   */
  readonly firstLoad?: { readonly rows: number } | { readonly chunk: Duration }
}

/** Reads the rows that changed since the last run: `[last_run, hi)` of the cursor, where `hi` is settled. */
export function changedSince<S extends AnySource>(source: S, options: ChangedSinceOptions<S>): Extraction<S> {
  const isXid = typeof options.cursor === 'object'
  const name = typeof options.cursor === 'object' ? options.cursor.xid : options.cursor
  const refuse = (what: string) => new ConfigurationError(`changedSince(${source.definition.table}): ${what}`)
  const kind = source.definition.byName.get(name)?.field.settings.kind
  if (!isXid && kind !== 'timestamp') {
    throw refuse(
      `the cursor "${name}" is not a timestamp field of the model; name one that every change of a row moves on`,
    )
  }
  if (isXid && kind !== 'bigint') {
    throw refuse(
      `the cursor xid("${name}") is not a bigint field of the model; its column is of PostgreSQL's type xid8, its field bigint()`,
    )
  }
  if (isXid && (options.lag !== undefined || options.overlap !== undefined || options.zone !== undefined)) {
    throw refuse('an xid cursor is exact, so it takes no lag, no overlap and no zone; leave them out')
  }
  return {
    source,
    cursor: {
      kind: isXid ? 'xid' : 'timestamp',
      name,
      lagSeconds: isXid ? 0 : secondsOf(options.lag ?? LAG),
      unseenLagSeconds: isXid ? 0 : secondsOf(options.lag ?? UNSEEN_LAG),
      overlapSeconds: options.overlap === undefined ? 0 : secondsOf(options.overlap),
      nulls: options.nulls ?? 'error',
      zone: options.zone === undefined ? null : zoneNamed(options.zone, `changedSince(${source.definition.table})`),
    },
    partitionRows: options.partitionRows ?? PARTITION_ROWS,
    firstLoad: firstLoadOf(options.firstLoad, isXid, refuse),
    rowsPerSecond: rateOf(options.rowsPerSecond, `changedSince(${source.definition.table})`),
  }
}
