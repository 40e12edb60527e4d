import { candidatesOf } from '#dray/active-record/candidates.ts'
import { type FieldType, typeOf } from '#dray/active-record/field-type.ts'
import type { Adapter, LiveColumn } from '#dray/database/adapter.ts'
import type { WantedColumn } from '#dray/database/alterations.ts'
import { kindsHolding } from '#dray/database/live-types.ts'

/** What a column is in the models of both sides. */
export interface HeldTypes {
  readonly source: FieldType
  readonly target: FieldType
}

/** The type itself, or the one without a size where the engine has none of this size. */
export function holdable(type: FieldType, { schema }: Adapter): FieldType {
  if (schema.columnFault(type) === null) return type
  return typeOf(type.kind === 'binary' ? 'binary' : 'text')
}

/** A column as a statement makes it, which may be NULL. */
export function wantedColumn(name: string, type: FieldType, adapter: Adapter): WantedColumn {
  const made = adapter.schema.columnType(type)
  return { name, kind: type.kind, type: made, nullable: true, isGenerated: false, startsAtZero: false }
}

/** Kinds whose values a column of another kind holds as they are, or is refused for, row by row. */
const ALSO_HELD: Readonly<Partial<Record<FieldType['kind'], readonly FieldType['kind'][]>>> = {
  text: ['varchar'],
  varchar: ['text'],
  integer: ['bigint'],
  bigint: ['integer'],
}

/** How a column of the target that is there takes values of a type; null where it is of another one. */
export function held(type: FieldType, { name, type: liveType }: LiveColumn, adapter: Adapter): HeldTypes | null {
  const target = holdable(type, adapter)
  if (adapter.alter.isType(wantedColumn(name, target, adapter), liveType)) return { source: type, target }
  const { liveTypes } = adapter.schema
  if (liveTypes === null) return null
  const own = candidatesOf(
    { name, type: liveType, nullable: true, hasDefault: false, isComputed: false },
    undefined,
    liveTypes,
  )
  const [is] = own.types
  if (is === undefined) return own.isMeasured && type.kind === 'decimal' ? { source: type, target: type } : null
  const isAlike = is.kind === type.kind || (ALSO_HELD[type.kind]?.includes(is.kind) ?? false)
  if (!isAlike || !kindsHolding(liveTypes, liveType).includes(type.kind)) return null
  if (type.kind === 'binary' && !adapter.schema.storesBytes(liveType)) return null
  return { source: type, target: { ...is, kind: is.kind === 'integer' || is.kind === 'bigint' ? type.kind : is.kind } }
}
