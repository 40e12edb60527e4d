import type { FieldsOf } from '#dray/active-record/model.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AnySource, AnyTarget } from './any-model.ts'
import type { Extraction } from './extraction.ts'
import type { Loading } from './loading.ts'
import { type OwnedColumn, type OwnedRows, ownedColumnsOf } from './owned-rows.ts'
import { isChosenBy } from './row-filter.ts'

/** Rows that may be deleted whatever their share: a small table must not be stuck with one that is gone. */
export const BORNE_DELETES = 10
const MOST = 0.1

interface DeletesGuard<S extends AnySource, T extends AnyTarget> {
  /**
   * The rows of a table that several pipelines write which are this one's, by fields of its key: `{ origin: 'crm' }`.
   * Only these are counted, compared and deleted, and a row with another value goes to the quarantine.
   */
  readonly where?: OwnedRows<T>
  /**
   * The share of the target's rows that a run may delete; 0.1 by default. Up to 10 rows are borne whatever their share.
   */
  readonly most?: number
  /**
   * The fields of the source that the transform takes over unchanged as the target's key; the source's primary key when
   * left out. A field of the key for which `where` has one value needs none.
   */
  readonly key?: (keyof FieldsOf<S> & string) | readonly (keyof FieldsOf<S> & string)[]
}

/** What becomes of a target row whose source row is gone. `'close'` is for a history: it ends the current version. */
export type DeletesOption<S extends AnySource = AnySource, T extends AnyTarget = AnyTarget> =
  | 'ignore'
  | 'hard'
  | 'close'
  | (DeletesGuard<S, T> & { readonly hard: true })
  | (DeletesGuard<S, T> & { readonly close: true })
  /** Takes no row away, and keeps to its rows of a shared table. */
  | (Pick<DeletesGuard<S, T>, 'where'> & { readonly where: OwnedRows<T> })
  /** The field that is set to the run's start (a timestamp) or to true (a boolean). */
  | (DeletesGuard<S, T> & { readonly soft: keyof FieldsOf<T> & string })
  | (DeletesGuard<S, T> & ToldBy<S> & { readonly hard?: true })
  | (DeletesGuard<S, T> & ToldBy<S> & { readonly close: true })
  | (DeletesGuard<S, T> & ToldBy<S> & { readonly soft: keyof FieldsOf<T> & string })

/** Rows that the run reads say that they are deleted; keys are not compared. */
type ToldBy<S extends AnySource> =
  /** A field of the source: a boolean or an integer that is not false or 0, or a moment or day that is not NULL. */
  | { readonly flag: keyof FieldsOf<S> & string }
  /** Only those of which the transform says `row.delete()`. */
  | { readonly told: true }

/** The option, made out. */
export interface Deletes {
  readonly kind: 'ignore' | 'hard' | 'soft' | 'close'
  /** What says that a row is deleted: its key is not in the source, or the row itself. */
  readonly saidBy: 'absence' | 'row'
  /** The source's field that says it. */
  readonly flag: string | null
  /** The field of a soft delete. */
  readonly field: string | null
  readonly most: number
  /** The source's fields that are the target's key, in the order of `by`. */
  readonly key: readonly string[]
  /** The fields of the target's key that are taken over: not those that are the same in all rows of the pipeline. */
  readonly by: readonly string[]
  /** Which rows of the target are the pipeline's; empty for any. */
  readonly where: readonly OwnedColumn[]
}

/** Makes the option out and refuses what does not fit the pipeline. */
export function deletesOf(
  name: string,
  option: DeletesOption | undefined,
  extract: Extraction,
  load: Loading,
): Deletes {
  const given: Given = typeof option === 'object' ? option : {}
  const isTold = given.flag !== undefined || given.told !== undefined
  const kind = kindOf(option, load)
  const where = ownedColumnsOf(name, given.where, load)
  const constant = where.filter(({ texts }) => texts.length === 1).map(({ column }) => column.name)
  const by = load.goneBy.filter((field) => !constant.includes(field))
  const deletes: Deletes = {
    where,
    by,
    kind,
    saidBy: isTold ? 'row' : 'absence',
    flag: given.flag ?? null,
    field: given.soft ?? null,
    most: given.most ?? (isTold ? 1 : MOST),
    key: given.key === undefined ? ownKey(extract, by) : [given.key].flat(),
  }
  if (kind !== 'ignore') checkDeletes(name, deletes, extract, load)
  if (isTold && given.key === undefined) refuseUnclear(name, deletes)
  return deletes
}

/** The source's primary key in the order of `by`, as far as the names say it. */
function ownKey({ source }: Extraction, by: readonly string[]): readonly string[] {
  const own = source.definition.primaryKey.map((column) => column.name)
  if (own.length !== by.length) return own
  const others = own.filter((field) => !by.includes(field))
  return by.map((field) => (own.includes(field) ? field : (others.shift() as string)))
}

/** No transform is asked which row of the target it is of which a flag says that it is deleted. */
function refuseUnclear(name: string, { key, by }: Deletes): void {
  const others = by.filter((field, place) => field !== key[place])
  if (others.length < 2) return
  throw new ConfigurationError(
    `pipeline('${name}'): deletes: it is not said which fields of the source are ${others.join(', ')} of the target, so a row that says that it is deleted might take another one along; name them in the order of by: { key: [${by.map((_, place) => `'${key[place]}'`).join(', ')}] } or another`,
  )
}

interface Given {
  readonly soft?: string
  readonly most?: number
  readonly key?: string | readonly string[]
  readonly flag?: string
  readonly told?: true
  readonly where?: OwnedRows
}

function kindOf(option: DeletesOption | undefined, load: Loading): Deletes['kind'] {
  if (option === undefined) return 'ignore'
  if (typeof option === 'string') return option
  if ('soft' in option) return 'soft'
  if ('close' in option) return 'close'
  if ('hard' in option) return 'hard'
  if (!('flag' in option || 'told' in option)) return 'ignore'
  return load.kind === 'history' ? 'close' : 'hard'
}

/** Kinds of fields that say whether a row is deleted. */
const FLAGS: ReadonlySet<FieldKind> = new Set(['boolean', 'integer', 'bigint', 'timestamp', 'date'])

function checkDeletes(name: string, deletes: Deletes, extract: Extraction, load: Loading): void {
  const refuse = (what: string) => new ConfigurationError(`pipeline('${name}'): deletes: '${deletes.kind}' ${what}`)
  const fitting = { upsert: ['hard', 'soft'], history: ['close'], append: [], replace: [] } as const
  if (!(fitting[load.kind] as readonly string[]).includes(deletes.kind)) {
    const instead = {
      upsert: "use 'hard' or { soft: field }",
      history: "use 'close', which ends the current version",
      append: 'an append never takes a row away; leave it out',
      replace: 'a replace leaves only the rows of the run; leave it out',
    }
    throw refuse(`does not go with ${load.kind}(): ${instead[load.kind]}`)
  }
  if (!(deletes.most >= 0 && deletes.most <= 1)) throw refuse(`has most: ${deletes.most}; give a share from 0 to 1`)
  if (deletes.key.length === 0 || deletes.key.length !== deletes.by.length) {
    throw refuse(
      `needs to know which fields of the source are the target's key (${deletes.by.join(', ')}); name them: { key: […] }`,
    )
  }
  for (const field of deletes.key) {
    if (!extract.source.definition.byName.has(field))
      throw refuse(
        `names the key "${field}", which ${extract.model.definition.byName.has(field) ? 'is not among the columns that are read; add it to columns' : 'the source does not have'}`,
      )
  }
  if (deletes.flag !== null) {
    const flag = extract.source.definition.byName.get(deletes.flag)?.field.settings.kind
    if (flag === undefined && extract.model.definition.byName.has(deletes.flag))
      throw refuse(`names the flag "${deletes.flag}", which is not among the columns that are read; add it to columns`)
    if (flag === undefined || !FLAGS.has(flag)) {
      throw refuse(
        `names the flag "${deletes.flag}", which is no boolean, integer, timestamp or date of the source; name one that is, or say { told: true } and row.delete() in the transform`,
      )
    }
  }
  const flag = deletes.flag === null ? undefined : extract.source.definition.byName.get(deletes.flag)
  if (flag !== undefined && extract.filter !== null && isChosenBy(extract.filter, flag)) {
    throw refuse(
      `names the flag "${flag.name}", and where chooses rows by it, so a row that is marked would not be read, and stay in the target; leave "${flag.name}" out of where, or say deletes: '${deletes.kind}' alone, which finds the keys that have left the filter`,
    )
  }
  const own = extract.source.definition.primaryKey.map(({ name }) => name)
  if (
    deletes.saidBy === 'row' &&
    (own.length !== deletes.key.length || own.some((field) => !deletes.key.includes(field)))
  ) {
    throw refuse(
      `goes by rows that say it themselves, and another row of the source may have the same ${deletes.by.join(', ')}; write the target by the source's primary key, or use deletes: '${deletes.kind}', which looks for the keys that are left`,
    )
  }
  if (deletes.kind !== 'soft') return
  if (load.update === 'never') {
    throw refuse(`does not go with update: 'never': a row that comes back would stay marked; use 'hard'`)
  }
  const settings = load.target.definition.byName.get(deletes.field ?? '')?.field.settings
  if (settings?.kind === 'boolean' || (settings?.kind === 'timestamp' && settings.isNullable)) return
  throw refuse(`names the field "${deletes.field}", which is neither a nullable timestamp nor a boolean of the target`)
}
