/** Whether a field, the bytes from one place up to another, is sure to be kept as it is. */
export type Fits = (bytes: Buffer, from: number, to: number) => boolean

const TAB = 9
const NEWLINE = 10
const POINT = 46
const MINUS = 45
const BACKSLASH = 92
const CAPITAL_N = 78

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= 48 && code <= 57
}

function digitsEnd(bytes: Buffer, from: number, to: number): number {
  let end = from
  while (end < to && isDigit(bytes[end])) end += 1
  return end
}

/**
 * Digits, and no more than `scale` of them behind a point. An exponent or a name may fit, too, but is left to the
 * server.
 */
export function fitsDecimal(scale: number): Fits {
  return (bytes, from, to) => {
    const start = bytes[from] === MINUS ? from + 1 : from
    const whole = digitsEnd(bytes, start, to)
    if (whole === start) return false
    if (whole === to) return true
    return bytes[whole] === POINT && to - whole - 1 <= scale && digitsEnd(bytes, whole + 1, to) === to
  }
}

/** A time with no more digits behind the only point. */
export function fitsFraction(digits: number): Fits {
  return (bytes, from, to) => {
    for (let at = from; at < to; at++) {
      if (bytes[at] === POINT) return digitsEnd(bytes, at + 1, to) - at - 1 <= digits
    }
    return true
  }
}

export function fitsLength(bytes: number): Fits {
  return (_bytes, from, to) => to - from <= bytes
}

export function isNull(bytes: Buffer, from: number, to: number): boolean {
  return to === from + 2 && bytes[from] === BACKSLASH && bytes[from + 1] === CAPITAL_N
}

/** Whether each field of whole rows of COPY text fits its column, where the column has something to say. */
export function areFitting(bytes: Buffer, fits: readonly (Fits | undefined)[], width: number): boolean {
  if (fits.length === 0) return true
  for (let from = 0; from < bytes.length; ) {
    for (let column = 0; column < fits.length; column++) {
      let to = from
      while (to < bytes.length && bytes[to] !== TAB && bytes[to] !== NEWLINE) to += 1
      // Fewer fields than columns: the server will say so.
      if (column < width - 1 && bytes[to] !== TAB) return false
      if (fits[column]?.(bytes, from, to) === false) return false
      from = to + 1
    }
    if (fits.length < width) from = bytes.indexOf(NEWLINE, from) + 1
    if (from === 0) return false
  }
  return true
}
