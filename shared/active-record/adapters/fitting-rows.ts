/**
 * Whether a field of a line, as text from one place up to another, is sure to be kept as it is. The line has one character for each
 * byte, so that no length is taken for shorter than it is.
 */
export type Fits = (line: string, from: number, to: number) => boolean

const POINT = 46
const MINUS = 45
const BACKSLASH = 92
const CAPITAL_N = 78

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function digitsEnd(line: string, from: number, to: number): number {
  let end = from
  while (end < to && isDigit(line.charCodeAt(end))) end += 1
  return end
}

/** Digits, and no more than `scale` of them behind a point. An exponent or a name may fit, too, but is left to the server. */
export function fitsDecimal(scale: number): Fits {
  return (line, from, to) => {
    const start = line.charCodeAt(from) === MINUS ? from + 1 : from
    const whole = digitsEnd(line, start, to)
    if (whole === start) return false
    if (whole === to) return true
    return line.charCodeAt(whole) === POINT && to - whole - 1 <= scale && digitsEnd(line, whole + 1, to) === to
  }
}

/** A time with no more digits behind the only point. */
export function fitsFraction(digits: number): Fits {
  return (line, from, to) => {
    for (let at = from; at < to; at++) {
      if (line.charCodeAt(at) === POINT) return digitsEnd(line, at + 1, to) - at - 1 <= digits
    }
    return true
  }
}

export function fitsLength(bytes: number): Fits {
  return (_line, from, to) => to - from <= bytes
}

export function isNull(line: string, from: number, to: number): boolean {
  return to === from + 2 && line.charCodeAt(from) === BACKSLASH && line.charCodeAt(from + 1) === CAPITAL_N
}

/** Whether each field of whole rows of COPY text fits its column, where the column has something to say. */
export function areFitting(bytes: Buffer, fits: readonly (Fits | undefined)[], width: number): boolean {
  if (fits.length === 0) return true
  const text = bytes.toString('latin1')
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from)
    for (let column = 0; column < fits.length; column++) {
      const to = column === width - 1 ? end : text.indexOf('\t', from)
      // Fewer fields than columns: the server will say so.
      if (to < 0 || to > end) return false
      if (fits[column]?.(text, from, to) === false) return false
      from = to + 1
    }
    from = end + 1
  }
  return true
}
