import {
  areFitting,
  type Fits,
  fitsDecimal,
  fitsFraction,
  fitsLength,
  isNull,
} from '#dray/database/merge/fitting-rows.ts'
import type { NarrowColumn } from './narrow-columns.ts'

function fitsOf({ wide, type, fits }: NarrowColumn): Fits | null {
  if (fits !== undefined) return fits
  const [first = Number.NaN, second = 0] = (/\(([\d,]+)\)/.exec(type)?.[1] ?? '').split(',').map(Number)
  if (!(first >= 0)) return null
  if (wide === 'varchar') return fitsLength(first)
  if (wide === 'numeric' || type.startsWith('numeric')) return fitsDecimal(second)
  return /^time/.test(wide) ? fitsFraction(first) : null
}

/**
 * Makes the function that says of whole rows of COPY text that their columns are sure to keep every value. When in
 * doubt it says no. Null where the columns are of types that only the server can tell.
 */
export function fittingRows(
  columns: readonly string[],
  narrow: readonly NarrowColumn[],
): ((bytes: Buffer) => boolean) | null {
  const fits: Fits[] = []
  for (const column of narrow) {
    const one = fitsOf(column)
    if (one === null) return null
    fits[columns.indexOf(column.column)] = (line, from, to) => isNull(line, from, to) || one(line, from, to)
  }
  return (bytes) => areFitting(bytes, fits, columns.length)
}
