import type { Row } from '#dray/active-record/fields.ts'
import type { FieldsOf } from '#dray/active-record/model.ts'
import type { AnySource } from './any-model.ts'

type Mapping = Readonly<Record<string, string>>

const mappings = new WeakMap<object, Mapping>()

/**
 * A transform that takes fields over as they are: the target's names, each with the source's. Since it is known what it
 * does, `dray reconcile` has the databases compute digests instead of reading every row.
 *
 * @example transform: copyFields(SourceOrder, { orderId: 'id', status: 'status' })
 */
export function copyFields<S extends AnySource, const M extends Readonly<Record<string, keyof FieldsOf<S> & string>>>(
  _source: S,
  mapping: M,
): (row: Pick<Row<FieldsOf<S>>, M[keyof M]>) => { -readonly [K in keyof M]: Row<FieldsOf<S>>[M[K]] } {
  const pairs = Object.entries(mapping)
  const transform = (row: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(pairs.map(([to, from]) => [to, row[from]]))
  mappings.set(transform, mapping)
  return transform as never
}

/** What a transform takes over, when it does nothing else. */
export function mappingOf(transform: object): Mapping | null {
  return mappings.get(transform) ?? null
}
