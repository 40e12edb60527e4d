import type { Fields, KeyNames } from '#dray/active-record/fields.ts'
import type { FieldsOf, SourceClass } from '#dray/active-record/model.ts'
import { narrowModel } from '#dray/active-record/narrow-model.ts'
import type { ConditionsOf } from '#dray/active-record/relation.ts'
import { columnOf } from '#dray/active-record/table-definition.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AnySource } from './any-model.ts'
import { type RowFilter, rowFilterOf } from './row-filter.ts'

/** Which rows and fields of a source are read. */
export interface SelectionOptions<S extends AnySource, N extends keyof FieldsOf<S> & string> {
  /**
   * Only these rows, in the form of ActiveRecord's conditions: `{ status: 'paid' }`, or `['amount > ?', '100']` with a
   * column at each `?`. To the pipeline the others are not there: a row that leaves the filter is gone.
   */
  readonly where?: ConditionsOf<FieldsOf<S>>
  /** Only these fields, with those of the primary key and of the cursor, which are always read. */
  readonly columns?: readonly N[]
}

/** The model whose rows a transform is given. */
export type NarrowedSource<S extends AnySource, N, C = never> = [N] extends [never]
  ? S
  : SourceClass<Pick<FieldsOf<S>, Extract<N | C | KeyNames<FieldsOf<S>>, keyof FieldsOf<S>>>>

interface Selection<S extends AnySource> {
  readonly source: S
  readonly model: AnySource
  readonly filter: RowFilter | null
}

/** `needed` are read whether they are named or not. Throws `Configuration`. */
export function narrowedSource<S extends AnySource, N extends keyof FieldsOf<S> & string, C = never>(
  what: string,
  model: S,
  { where, columns }: SelectionOptions<S, N>,
  needed: readonly string[],
): Selection<NarrowedSource<S, N, C>> {
  const { definition } = model
  const filter = where === undefined ? null : rowFilterOf(where as ConditionsOf<Fields>, definition, `${what}: where`)
  if (columns === undefined) return { source: model as never, model, filter }
  if (columns.length === 0)
    throw new ConfigurationError(
      `${what}: columns names no field, so there is nothing to read; name some, or leave it out`,
    )
  for (const name of columns) columnOf(definition, name)
  const names = new Set([...columns, ...needed, ...definition.primaryKey.map(({ name }) => name)])
  return { source: narrowModel(model, names) as never, model, filter }
}
