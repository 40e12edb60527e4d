import type { LiveColumn } from '#dray/database/adapter.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { kindsHolding, type LiveTypes } from '#dray/database/live-types.ts'
import { binaryOf, decimalWith, type FieldType, typeOf, varcharOf } from './field-type.ts'

/** Digits of a 64-bit integer without a sign: a signed column elsewhere would not hold the largest. */
const UNSIGNED = decimalWith(20, 0)
const SIZES = /\((\d+)(?:\s*,\s*(-?\d+))?\)/
/** Names of columns that hold moments where the type does not say so. */
const MOMENT_NAME = /(?:^|_|[a-z])(?:at|date|time|timestamp|created|updated|modified|changed)$/i

/**
 * What a column may be declared as, the best first; text, which holds all, comes last. What is to be decided by the
 * values is null in place of its digits.
 */
export interface Candidates {
  readonly types: readonly FieldType[]
  /** A decimal whose type says no digits: the values say them. */
  readonly isMeasured: boolean
  /** Its declaration says nothing of a type. */
  readonly isUntyped?: boolean
}

/** What the catalogue says of a column of numbers. */
export interface NumbersDetails {
  /** The database numbers it. */
  readonly isNumbered: boolean
  /** It is a part of a foreign key. */
  readonly refers: boolean
}

export function candidatesOf(
  column: LiveColumn,
  details: NumbersDetails | undefined,
  types: LiveTypes | null,
): Candidates {
  return types === null ? untyped(column) : typed(column, details, types)
}

/** The engine holds each value to the type, so that there is little to choose. */
function typed({ type }: LiveColumn, details: NumbersDetails | undefined, types: LiveTypes): Candidates {
  const [kind] = kindsHolding(types, type)
  const [, first, second] = SIZES.exec(type) ?? []
  const size = first === undefined ? null : Number(first)
  const one = (only: FieldType): Candidates => ({ types: [only], isMeasured: false })
  if (/unsigned|zerofill/i.test(type) && /int/i.test(type)) return one(unsignedType(type, details))
  if (/^(?:character varying|varchar|char|character)\b/i.test(type)) return one(size ? varcharOf(size) : typeOf('text'))
  if (/^(?:var)?binary\b/i.test(type) && size) return one(binaryOf(size))
  if (kind === 'decimal') {
    if (size === null) return { types: [], isMeasured: true }
    const scale = Number(second ?? 0)
    return one(decimalWith(Math.max(size + Math.max(-scale, 0), scale), Math.max(scale, 0)))
  }
  return one(typeOf(plainKind(kind)))
}

/** A numbered key, and what refers to one, stays far below 2^63; of other columns nobody knows. */
function unsignedType(type: string, details: NumbersDetails | undefined): FieldType {
  if (!/^bigint/i.test(type)) return typeOf(/^int/i.test(type) ? 'bigint' : 'integer')
  return details?.isNumbered || details?.refers ? typeOf('bigint') : UNSIGNED
}

function plainKind(kind: FieldKind | undefined): Exclude<FieldKind, 'varchar' | 'decimal'> {
  return kind === undefined || kind === 'varchar' || kind === 'decimal' ? 'text' : kind
}

/** A column holds any value, whatever it was declared as: the name of its type is a hint, and the values decide. */
function untyped({ name, type }: LiveColumn): Candidates {
  const [, first, second] = SIZES.exec(type) ?? []
  const hints = (...kinds: FieldType[]): Candidates => ({ types: [...kinds, typeOf('text')], isMeasured: false })
  if (/INT/i.test(type)) return hints(typeOf('bigint'), typeOf('double'))
  if (/BOOL/i.test(type)) return hints(typeOf('boolean'), typeOf('bigint'))
  if (/DEC|NUM|MONEY/i.test(type)) {
    return { types: first === undefined ? [] : [decimalWith(Number(first), Number(second ?? 0))], isMeasured: true }
  }
  if (/REAL|FLOA|DOUB/i.test(type)) return hints(typeOf('double'))
  if (/DATETIME|TIMESTAMP/i.test(type)) return hints(typeOf('timestamp'), typeOf('bigint'))
  if (/DATE/i.test(type)) return hints(typeOf('date'), typeOf('timestamp'), typeOf('bigint'))
  if (/JSON/i.test(type)) return hints(typeOf('json'))
  if (/BLOB|BINARY/i.test(type)) return hints(typeOf('binary'))
  if (type === '') return { ...hints(typeOf('bigint'), typeOf('double'), typeOf('binary')), isUntyped: true }
  return MOMENT_NAME.test(name) ? hints(typeOf('timestamp')) : hints()
}
