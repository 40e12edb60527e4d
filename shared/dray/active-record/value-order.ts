import type { ColumnDefinition } from './table-definition.ts'

/** Compares canonical texts: numbers by their value, others by their bytes. */
export function compareTexts(column: ColumnDefinition, one: string, other: string): number {
  if (one === other) return 0
  switch (column.field.settings.kind) {
    case 'bigint':
    case 'integer':
    case 'decimal':
    case 'double':
      return compareNumbers(one, other)
    default:
      // Code units beyond the basic plane sort otherwise than bytes.
      return Buffer.compare(Buffer.from(one), Buffer.from(other))
  }
}

function compareNumbers(one: string, other: string): number {
  const [wholeOne = '', fractionOne = ''] = one.split('.')
  const [wholeOther = '', fractionOther = ''] = other.split('.')
  const length = Math.max(fractionOne.length, fractionOther.length)
  try {
    const difference =
      BigInt(wholeOne + fractionOne.padEnd(length, '0')) - BigInt(wholeOther + fractionOther.padEnd(length, '0'))
    return difference < 0n ? -1 : difference > 0n ? 1 : 0
  } catch {
    return Number(one) - Number(other)
  }
}
