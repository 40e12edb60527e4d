import type { FieldKind } from './field-kind.ts'

/**
 * The types of columns that an engine has, as its catalogue names them without their sizes, each with the kinds that
 * hold its values; the first is the one to declare. A type that is not named (an enumeration, an array, an extension's
 * type) is text. Of a decimal, `bigint` holds one without digits behind the point, `double` one of 15 digits at most.
 */
export type LiveTypes = Readonly<Record<string, readonly FieldKind[]>>

/** What holds the database's own text of any value. */
export const TEXTS = ['text', 'varchar'] as const satisfies readonly FieldKind[]

const DECIMAL = /^(?:numeric|decimal)(?:\((\d+)(?:,(-?\d+))?\))?/
/** A double gives so many digits of a decimal back as they were. */
const DIGITS_OF_A_DOUBLE = 15

/** The kinds that hold the values of a column of this type, the one to declare first. */
export function kindsHolding(types: LiveTypes, liveType: string): readonly FieldKind[] {
  const type = liveType.toLowerCase()
  const withoutSize = type.replace(/\(.*\)/s, '').replace(/ (?:unsigned|zerofill)\b/g, '')
  const kinds = types[type] ?? types[withoutSize] ?? TEXTS
  const decimal = DECIMAL.exec(type)
  return decimal === null ? kinds : kinds.filter((kind) => holdsDecimal(kind, decimal[1], decimal[2]))
}

function holdsDecimal(kind: FieldKind, precision: string | undefined, scale = '0'): boolean {
  if (kind === 'bigint') return Number(scale) <= 0
  return kind !== 'double' || Number(precision) <= DIGITS_OF_A_DOUBLE
}
