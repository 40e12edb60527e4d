import type { NarrowColumn } from './narrow-columns.ts'

/** Whether a field of a line, as text from one place up to another, is sure to be kept as it is. */
type Fits = (line: string, from: number, to: number) => boolean

const POINT = 46
const ZERO = 48
const NINE = 57
const PLUS = 43
const MINUS = 45
const BACKSLASH = 92

/** `numeric(12,2)`: digits with at most two behind the point. An exponent or a name may fit, too, but is left to the server. */
function fitsNumeric(scale: number): Fits {
  return (line, from, to) => {
    for (let at = from; at < to; at++) {
      const code = line.charCodeAt(at)
      if (code === POINT) return to - at - 1 <= scale && areDigits(line, at + 1, to)
      if ((code < ZERO || code > NINE) && code !== MINUS && code !== PLUS) return false
    }
    return true
  }
}

function areDigits(line: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const code = line.charCodeAt(at)
    if (code < ZERO || code > NINE) return false
  }
  return true
}

/** `timestamp(3)`: no more digits behind the only point. */
function fitsFraction(digits: number): Fits {
  return (line, from, to) => {
    for (let at = from; at < to; at++) {
      if (line.charCodeAt(at) !== POINT) continue
      let end = at + 1
      while (end < to && line.charCodeAt(end) >= ZERO && line.charCodeAt(end) <= NINE) end += 1
      return end - at - 1 <= digits
    }
    return true
  }
}

/** The lines hold one character for each byte, so that a length is never taken for shorter than it is. */
function fitsOf({ wide, type }: NarrowColumn): Fits | null {
  const [first = Number.NaN, second = 0] = (/\(([\d,]+)\)/.exec(type)?.[1] ?? '').split(',').map(Number)
  if (!(first >= 0)) return null
  if (wide === 'varchar') return (_line, from, to) => to - from <= first
  if (wide === 'numeric') return fitsNumeric(second)
  if (/^time/.test(wide)) return fitsFraction(first)
  return null
}

/**
 * Makes the function that says of whole rows of COPY text that their columns are sure to keep every value. When in doubt it says
 * no. Null where the columns are of types that only the server can tell.
 */
export function fittingRows(
  columns: readonly string[],
  narrow: readonly NarrowColumn[],
): ((bytes: Buffer) => boolean) | null {
  const fits: (Fits | undefined)[] = []
  for (const column of narrow) {
    const one = fitsOf(column)
    if (one === null) return null
    fits[columns.indexOf(column.column)] = one
  }
  if (fits.length === 0) return () => true
  return (bytes) => areFitting(bytes.toString('latin1'), fits, columns.length)
}

function areFitting(text: string, fits: readonly (Fits | undefined)[], width: number): boolean {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from)
    for (let column = 0; column < fits.length; column++) {
      const to = column === width - 1 ? end : text.indexOf('\t', from)
      // Fewer fields than columns: the server will say so.
      if (to < 0 || to > end) return false
      const isNull = to === from + 2 && text.charCodeAt(from) === BACKSLASH && text.charCodeAt(from + 1) === 78
      if (!isNull && fits[column]?.(text, from, to) === false) return false
      from = to + 1
    }
    from = end + 1
  }
  return true
}
