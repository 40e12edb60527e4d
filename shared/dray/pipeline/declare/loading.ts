import type { FieldsOf } from '#dray/active-record/model.ts'
import { type Timestamp, timestampOf } from '#dray/active-record/values.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AnyTarget } from './any-model.ts'

declare const managed: unique symbol

/** The fields of a history that say from when until when a version held. */
export interface HistoryFields {
  readonly validFrom: string
  readonly validTo: string
  /** A boolean beside `validTo`; null when there is none. */
  readonly current: string | null
  /** The fields whose difference makes a new version. */
  readonly compare: readonly string[]
  /** The other fields follow the source in the current version. */
  readonly followsOthers: boolean
  /** Whose time says from when on a version holds. */
  readonly time: HistoryTime
  /** What `validTo` of the current version is; null for NULL. */
  readonly open: Timestamp | null
}

/** A version holds from the start of the run that found it, or from a time of the source's. */
export type HistoryTime = 'run' | 'source'

/** How a run writes. `Managed` are the fields that the load fills by itself. */
export interface Loading<T extends AnyTarget = AnyTarget, Managed extends object = object> {
  readonly kind: 'upsert' | 'append' | 'replace' | 'history'
  readonly target: T
  /** Which rows are the same; empty for an append to a table without a primary key. */
  readonly by: readonly string[]
  /** The key that the source lacks where a row is gone: `by`, of a history without the start of a version. */
  readonly goneBy: readonly string[]
  readonly version: string | null
  /** Whether rows are written whose key is there, and whose key is not. */
  readonly update: 'differing' | 'never'
  readonly insert: boolean
  /** A replace by no rows at all empties the table. */
  readonly allowEmpty: boolean
  /** The share of its rows that a replace may leave out. */
  readonly most: number
  readonly history: HistoryFields | null
  readonly [managed]?: Managed
}

type Names<T extends AnyTarget> = keyof FieldsOf<T> & string
// biome-ignore lint/complexity/noBannedTypes: no field at all.
type None = {}

export interface UpsertOptions<T extends AnyTarget> {
  /** Which rows are the same: the primary key or a unique key. */
  readonly by: Names<T> | readonly Names<T>[]
  /** A row never overwrites one whose value of this property is greater. */
  readonly version?: Names<T>
  /** `'never'` inserts new keys and leaves rows that are there alone, whatever they say. */
  readonly update?: 'differing' | 'never'
  /** False updates rows that are there and leaves new keys out. */
  readonly insert?: boolean
}

/** New keys are inserted; rows that differ are updated; equal ones are left alone. */
export function upsert<T extends AnyTarget>(target: T, options: UpsertOptions<T>): Loading<T, None> {
  const { update = 'differing', insert = true } = options
  if (update === 'never' && !insert) {
    throw new ConfigurationError(
      `upsert(${target.definition.table}): update: 'never' and insert: false would write no row; leave one of them out`,
    )
  }
  const by = [options.by].flat() as string[]
  return loading('upsert', target, { by, version: options.version ?? null, update, insert })
}

/** Rows are inserted and never changed; one whose primary key is there already is quarantined. */
export function append<T extends AnyTarget>(target: T): Loading<T, None> {
  return loading('append', target, { by: primaryKeyOf(target) })
}

/** What a source loses from one run to the next at most, unless told. */
const MOST = 0.1

export interface ReplaceOptions<T extends AnyTarget> {
  /** Which rows are the same when a run reads one twice; the primary key when left out. */
  readonly by?: Names<T> | readonly Names<T>[]
  /** Of rows that are the same the one whose value of this property is the greatest counts. */
  readonly version?: Names<T>
  /** Lets a run that has no row to load empty the table. */
  readonly allowEmpty?: boolean
  /**
   * The share of the table's rows by which it may shrink; 0.1 by default, 1 for any. Up to 10 rows are borne whatever
   * their share.
   */
  readonly most?: number
}

/**
 * The table's rows are replaced by those of the run, which are gathered in a table beside it and swapped in at the end,
 * all in one transaction: until then, and when the run fails, the old rows are there. For `fullLoad` only.
 */
export function replace<T extends AnyTarget>(target: T, options: ReplaceOptions<T> = {}): Loading<T, None> {
  const by = options.by === undefined ? primaryKeyOf(target) : ([options.by].flat() as string[])
  const most = options.most ?? MOST
  if (!(most >= 0 && most <= 1)) {
    throw new ConfigurationError(`replace(${target.definition.table}): most is ${most}; give a share from 0 to 1`)
  }
  return loading('replace', target, {
    by,
    version: options.version ?? null,
    allowEmpty: options.allowEmpty ?? false,
    most,
  })
}

export interface HistoryOptions<
  T extends AnyTarget,
  From extends Names<T>,
  To extends Names<T>,
  Now extends Names<T>,
  Time extends HistoryTime = 'run',
> {
  /** What stays the same through all versions of a thing; with `validFrom` a primary or unique key of the table. */
  readonly by: Names<T> | readonly Names<T>[]
  /** From when on a version holds: the run's start; with `time: 'source'` what the transform gives. */
  readonly validFrom: From
  /** The start of the version that follows, or of the run that found it deleted; `open` for the current version. */
  readonly validTo: To
  /**
   * `'source'`: the transform gives `validFrom`, and each start that it gives is a version, in its place whenever it
   * comes; `'run'` by default.
   */
  readonly time?: Time
  /** The day that `validTo` of the current version is, as `'9999-12-31'`; NULL when left out. */
  readonly open?: `${number}-${number}-${number}`
  /** A boolean, true for the current version. */
  readonly current?: Now
  /** The fields whose difference makes a new version; all but these and time stamps of the load when left out. */
  readonly compare?: readonly Names<T>[]
  /**
   * What becomes of the fields outside `compare` where they alone have changed: they stay (`'keep'`, by default), or
   * follow the source in the current version (`'update'`).
   */
  readonly others?: 'keep' | 'update'
  /** A row never follows a version whose value of this property is greater. */
  readonly version?: Names<T>
}

/**
 * Every version of a row is kept (SCD type 2): one that differs from the current version closes it at the run's start
 * and is inserted; an equal one writes nothing. The fields of the validity are filled by the load; a transform leaves
 * them out.
 */
export function history<
  T extends AnyTarget,
  From extends Names<T>,
  To extends Names<T>,
  Now extends Names<T> = never,
  Time extends HistoryTime = 'run',
>(
  target: T,
  options: HistoryOptions<T, From, To, Now, Time>,
): Loading<T, Record<(Time extends 'source' ? never : From) | To | Now, true>> {
  const { definition } = target
  const time: HistoryTime = options.time ?? 'run'
  const open = openEnd(definition.table, options.open)
  const by = [options.by].flat() as string[]
  const own: string[] = [
    options.validFrom,
    options.validTo,
    ...(options.current === undefined ? [] : [options.current]),
  ]
  const field = (name: string, kinds: readonly string[], isNullable: boolean | null) => {
    const settings = definition.byName.get(name)?.field.settings
    if (
      settings !== undefined &&
      kinds.includes(settings.kind) &&
      (isNullable ?? settings.isNullable) === settings.isNullable
    )
      return
    throw new ConfigurationError(
      `history(${definition.table}): ${name} is not a ${isNullable ? 'nullable ' : ''}${kinds.join(' or ')} field of the model${isNullable === false ? ' that is never NULL' : ''}; make it one`,
    )
  }
  field(options.validFrom, ['timestamp'], time === 'source' ? false : null)
  field(options.validTo, ['timestamp'], open === null ? true : null)
  if (options.current !== undefined) field(options.current, ['boolean'], null)
  const touched = definition.touched.map(({ name }) => name)
  const rest = definition.columns
    .map(({ name }) => name)
    .filter((name) => ![...by, ...own, ...touched].includes(name) && definition.lockVersion?.name !== name)
  refuseCompare(definition.table, time, options)
  return loading('history', target, {
    by: time === 'source' ? [...by, options.validFrom] : by,
    goneBy: by,
    version: options.version ?? null,
    history: {
      validFrom: options.validFrom,
      validTo: options.validTo,
      current: options.current ?? null,
      compare: options.compare ?? rest,
      followsOthers: options.others === 'update',
      time,
      open,
    },
  })
}

/** Which versions are left out must not depend on which of them came first. */
function refuseCompare(
  table: string,
  time: HistoryTime,
  { compare, others }: { readonly compare?: readonly string[]; readonly others?: string },
): void {
  const refuse = (what: string) => new ConfigurationError(`history(${table}): ${what}`)
  if (time === 'source' && (compare !== undefined || others !== undefined)) {
    throw refuse(
      "with time: 'source' each start that the transform gives is a version, whatever has changed, so compare and others say nothing; leave them out",
    )
  }
  if (others === 'update' && compare === undefined) {
    throw refuse("others: 'update' is about fields outside compare, and there is no compare; name the fields in it")
  }
}

function openEnd(table: string, open: string | undefined): Timestamp | null {
  if (open === undefined) return null
  const day = /^\d{4}-\d{2}-\d{2}$/.test(open) ? new Date(`${open}T00:00:00Z`) : null
  if (day !== null && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(open)) return timestampOf(open)
  throw new ConfigurationError(
    `history(${table}): open is ${JSON.stringify(open)}, which is no day; write it as '9999-12-31', or leave it out for NULL`,
  )
}

function primaryKeyOf(target: AnyTarget): string[] {
  return target.definition.primaryKey.map(({ name }) => name)
}

function loading<T extends AnyTarget, Managed extends object>(
  kind: Loading['kind'],
  target: T,
  given: Partial<Loading<T>>,
): Loading<T, Managed> {
  const whole = {
    kind,
    target,
    by: [],
    version: null,
    update: 'differing',
    insert: true,
    allowEmpty: false,
    most: MOST,
    history: null,
    ...given,
  }
  return { goneBy: whole.by, ...whole } as Loading<T, Managed>
}
