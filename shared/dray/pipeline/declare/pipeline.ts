import type { Attributes } from '#dray/active-record/fields.ts'
import type { FieldsOf } from '#dray/active-record/model.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { OwnedValues, WrittenTable } from '#dray/messages/written-table.ts'
import type { AnySource, AnyTarget } from './any-model.ts'
import type { Check } from './checks.ts'
import { type ColumnsOption, type FollowedColumns, followedColumnsOf } from './columns-option.ts'
import { mappingOf } from './copy-fields.ts'
import { declaredChecks } from './declared-checks.ts'
import { refuseUnlikeParts } from './declared-parts.ts'
import { type Deletes, type DeletesOption, deletesOf } from './deletes-option.ts'
import type { Extraction } from './extraction.ts'
import { refuseUnknownFields } from './known-fields.ts'
import type { Loading } from './loading.ts'
import { ownerOf } from './owner.ts'
import { type RowLimits, rowLimitsOf } from './row-limits.ts'

/** What a transform may say of a row, and what it may know of the run. */
export interface RowContext {
  /** When the run started, in UTC: the same for each row and each retry. */
  readonly runStartedAt: Timestamp
  /** Sends the whole row to the quarantine. */
  readonly reject: (field: string, code: string, message?: string) => null
  /**
   * The row is deleted: what the target has of it is deleted, marked or closed, as `deletes` says, which has to be
   * said.
   */
  readonly delete: () => null
  /** Records what was wrong with a value; the row goes on. */
  readonly finding: (field: string, code: string, message?: string) => void
}

/** A pure function of a row: the target's attributes, or null to leave the row out (it is counted as filtered). */
export type Transform<S extends AnySource, T extends AnyTarget, Managed extends object = object> = (
  row: InstanceType<S>,
  context: RowContext,
) => Given<T, Managed> | null

/** The target's attributes without those that the load fills by itself. */
type Given<T extends AnyTarget, Managed extends object> = [keyof Managed] extends [never]
  ? Attributes<FieldsOf<T>>
  : Omit<Attributes<FieldsOf<T>>, keyof Managed>

/** A run fails when more rows than these are quarantined; and how often those that were are tried again. */
export interface QuarantineThreshold {
  /** Rows; 1,000 by default. */
  readonly rows: number
  /** Share of the rows read; 0.01 by default. Up to 10 rows are borne whatever their share. */
  readonly share: number
  /** Usual runs that send an open row again, one after another; 0 by default. For `changedSince` only. */
  readonly retry: number
}

/**
 * What happens when the databases have changed: columns that no model knows are left alone and told of in the run
 * (`evolve`), or any difference stops it (`freeze`). Columns that the models need stop it in either case.
 */
export type Contract = 'evolve' | 'freeze'

export interface PipelineOptions<S extends AnySource, T extends AnyTarget, Managed extends object = object> {
  readonly extract: Extraction<S>
  readonly transform: Transform<S, T, Managed>
  readonly load: Loading<T, Managed>
  /** What becomes of target rows whose source row is gone; `'ignore'` by default. */
  readonly deletes?: DeletesOption<S, T>
  /** `'evolve'` by default. */
  readonly contract?: Contract
  /**
   * `'follow'` takes columns over that the source's model does not know, and adds them to the target; `'fixed'` by
   * default.
   */
  readonly columns?: ColumnsOption
  /**
   * Events about this entity (`<source>/<entity>`) that name keys have just the rows of these keys loaded, at once,
   * without the window's lag; `last_run` stays, and the next scheduled run reads its window as ever.
   */
  readonly entity?: `${string}/${string}`
  readonly quarantine?: Partial<QuarantineThreshold>
  /** The largest values and rows that are carried; larger ones go to the quarantine with their length alone. */
  readonly limits?: Partial<RowLimits>
  /** What the target has to be like when the rows have landed; `last_run` stays where it is not. */
  readonly checks?: readonly Check<keyof FieldsOf<NoInfer<T>> & string>[]
  /** Who answers for it, a name and a contact: `'data team <data@example.org>'`. */
  readonly owner?: string
  /** Partitions at once; 2 by default. Each takes one connection of the source and then one of the target. */
  readonly concurrency?: number
}

/** Held by the compiler against the type. */
const OPTIONS: Readonly<Record<keyof PipelineOptions<AnySource, AnyTarget>, true>> = {
  extract: true,
  transform: true,
  load: true,
  deletes: true,
  contract: true,
  columns: true,
  entity: true,
  quarantine: true,
  limits: true,
  checks: true,
  owner: true,
  concurrency: true,
}

/** Tries more than these are no remedy: somebody has to look. */
const MOST_RETRIES = 100

export interface Pipeline<S extends AnySource = AnySource, T extends AnyTarget = AnyTarget> {
  readonly kind: 'pipeline'
  readonly name: string
  readonly extract: Extraction<S>
  readonly transform: Transform<S, T>
  readonly load: Loading<T>
  readonly deletes: Deletes
  readonly contract: Contract
  readonly columns: FollowedColumns
  readonly entity: string | null
  readonly quarantine: QuarantineThreshold
  readonly limits: RowLimits
  readonly checks: readonly Check[]
  readonly owner: string | null
  readonly concurrency: number
  readonly written: WrittenTable
}

/** Extract, transform and load of one entity. The name is its folder under `functions/`. */
export function pipeline<S extends AnySource, T extends AnyTarget, Managed extends object = object>(
  name: string,
  options: PipelineOptions<S, T, Managed>,
): Pipeline<S, T> {
  refuseUnlikeParts(name, options, Object.keys(OPTIONS))
  const { load } = options
  const { maxConnections } = options.extract
  const concurrency = Math.min(options.concurrency ?? 2, maxConnections ?? Number.POSITIVE_INFINITY)
  const extract = sparing(options.extract, concurrency)
  if (load.kind === 'replace' && extract.cursor !== null) {
    throw new ConfigurationError(
      `pipeline('${name}'): replace() would leave only the rows that have changed; read all of them with fullLoad(), or write with upsert()`,
    )
  }
  const again = readsAgain(extract)
  if (load.kind === 'append' && load.by.length === 0 && again !== null) {
    throw new ConfigurationError(
      `pipeline('${name}'): ${again} reads rows again in each run, and append() to a table without a primary key would insert them each time; give the target's model a primary key, write with upsert(), or leave that out`,
    )
  }
  if (load.kind === 'append' && extract.cursor?.lateRows) {
    throw new ConfigurationError(
      `pipeline('${name}'): lateRows may read a row twice, by its stamp and by its key, and append() would insert it each time; write with upsert(), or leave lateRows out`,
    )
  }
  refuseUnreadFields(name, options.transform, extract)
  refuseUnknownFields(name, load)
  refuseOwnNames(name, load)
  const deletes = deletesOf(name, options.deletes as DeletesOption, extract, load)
  const { database, table } = load.target.definition
  return {
    kind: 'pipeline',
    name,
    extract,
    transform: options.transform as Transform<S, T>,
    load,
    deletes,
    written: { database, table, alone: aloneBecause(load, deletes), where: ownedBy(deletes) },
    contract: options.contract ?? 'evolve',
    columns: followedColumnsOf(name, options.columns, options.contract),
    entity: options.entity ?? null,
    quarantine: {
      rows: options.quarantine?.rows ?? 1000,
      share: options.quarantine?.share ?? 0.01,
      retry: retriesOf(name, options.quarantine?.retry, extract),
    },
    limits: rowLimitsOf(name, options.limits),
    checks: declaredChecks(options.checks ?? [], {
      where: `pipeline('${name}')`,
      definition: load.target.definition,
      extract,
      load: load as Loading,
    }),
    owner: ownerOf(`pipeline('${name}')`, options.owner),
    concurrency,
  }
}

/** The compiler says it first. */
function refuseUnreadFields(name: string, transform: object, { source, model }: Extraction): void {
  const unread = Object.values(mappingOf(transform) ?? {}).filter((field) => !source.definition.byName.has(field))
  if (unread.length === 0 || source === model) return
  throw new ConfigurationError(
    `pipeline('${name}'): copyFields() takes over ${unread.join(', ')}, which is not among the columns that are read, so NULL would be loaded; add it to columns`,
  )
}

/** Dray's tables lie beside the target's, and its columns beside the target's columns in temporary tables. */
function refuseOwnNames(name: string, { target: { definition } }: Loading): void {
  const table = definition.table.slice(definition.table.lastIndexOf('.') + 1)
  const column = definition.columnNames.find((one) => /^dray\$/i.test(one))
  if (!/^dray_|__dray_next$/i.test(table) && column === undefined) return
  const what = column === undefined ? `the table ${table}` : `the column ${column} of ${table}`
  throw new ConfigurationError(
    `pipeline('${name}'): ${what} is called as Dray calls its own, which would be taken for one of them; give it another name at the target (tables: not dray_…, columns: not dray$…)`,
  )
}

/** A server gives up a reader that takes nothing for a minute, so a partition is read in less at its rate. */
const SPARING_SECONDS = 40

function sparing<S extends AnySource>(extract: Extraction<S>, concurrency: number): Extraction<S> {
  const { maxRowsPerSecond, partitionRows } = extract
  if (maxRowsPerSecond === null) return extract
  const rows = Math.max(1, Math.floor((maxRowsPerSecond / concurrency) * SPARING_SECONDS))
  return { ...extract, partitionRows: Math.min(partitionRows, rows) }
}

function retriesOf(name: string, retry: number | undefined, { cursor }: Extraction): number {
  if (retry === undefined || retry === 0) return 0
  const refuse = (what: string) => new ConfigurationError(`pipeline('${name}'): quarantine: { retry } ${what}`)
  if (!Number.isInteger(retry) || retry < 0 || retry > MOST_RETRIES) {
    throw refuse(`is ${retry}; give the number of runs that try a row again, from 0 to ${MOST_RETRIES}`)
  }
  if (cursor === null) {
    throw refuse(
      'says nothing for fullLoad(), which reads every row in each run, those in the quarantine as well; leave it out',
    )
  }
  return retry
}

/** What has a run read rows that an earlier one has read. */
function readsAgain({ cursor }: Extraction): string | null {
  if (cursor === null) return null
  if (cursor.nulls === 'include') return "nulls: 'include'"
  return cursor.overlapSeconds > 0 || cursor.overlapNumbers > 0 ? 'overlap' : null
}

function ownedBy({ where }: Deletes): readonly OwnedValues[] | null {
  return where.length === 0 ? null : where.map(({ column, texts }) => ({ column: column.column, texts }))
}

/** What the pipeline does to rows that another one may have loaded; null for nothing. */
function aloneBecause(load: Loading, deletes: Deletes): string | null {
  if (load.kind === 'replace') return 'replaces all of its rows'
  if (load.kind === 'history') return 'keeps the versions of its rows'
  if (deletes.kind === 'ignore') return null
  if (deletes.saidBy === 'row') return null
  return `${deletes.kind === 'soft' ? 'marks' : 'deletes'} rows that its source does not have`
}
