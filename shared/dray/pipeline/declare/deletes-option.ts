import type { FieldsOf } from '#dray/active-record/model.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AnySource, AnyTarget } from './any-model.ts'
import type { Extraction } from './extraction.ts'
import type { Loading } from './loading.ts'
import { type OwnedColumn, type OwnedRows, ownedColumnsOf } from './owned-rows.ts'

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

/** The option, made out. */
export interface Deletes {
  readonly kind: 'ignore' | 'hard' | 'soft' | 'close'
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
  const given: {
    readonly soft?: string
    readonly most?: number
    readonly key?: string | readonly string[]
    readonly where?: OwnedRows
  } = typeof option === 'object' ? option : {}
  const kind = kindOf(option)
  const where = ownedColumnsOf(name, given.where, load)
  const constant = where.filter(({ texts }) => texts.length === 1).map(({ column }) => column.name)
  const deletes: Deletes = {
    where,
    by: load.by.filter((field) => !constant.includes(field)),
    kind,
    field: given.soft ?? null,
    most: given.most ?? MOST,
    key:
      given.key === undefined ? extract.source.definition.primaryKey.map((column) => column.name) : [given.key].flat(),
  }
  if (kind !== 'ignore') checkDeletes(name, deletes, extract, load)
  return deletes
}

function kindOf(option: DeletesOption | undefined): Deletes['kind'] {
  if (option === undefined) return 'ignore'
  if (typeof option === 'string') return option
  if ('soft' in option) return 'soft'
  if ('close' in option) return 'close'
  return 'hard' in option ? 'hard' : 'ignore'
}

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
      throw refuse(`names the key "${field}", which the source does not have`)
  }
  if (deletes.kind !== 'soft') return
  const settings = load.target.definition.byName.get(deletes.field ?? '')?.field.settings
  if (settings?.kind === 'boolean' || (settings?.kind === 'timestamp' && settings.isNullable)) return
  throw refuse(`names the field "${deletes.field}", which is neither a nullable timestamp nor a boolean of the target`)
}
