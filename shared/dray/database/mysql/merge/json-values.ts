const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const PARTS = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
const LEAST = -(2n ** 63n)
const MOST = 2n ** 64n - 1n

const QUOTE = '"'
const BACKSLASH = '\\'

/**
 * Why MySQL's JSON would hold something else than this JSON says, without a word: a key that comes twice, or a number
 * that is neither a whole one of 64 bits nor exactly a double. Null where it holds the same. Whether it is JSON at all
 * is left to the server. https://dev.mysql.com/doc/refman/8.4/en/json.html
 */
export function jsonLoss(text: string): string | null {
  const keys: (Set<string> | null)[] = []
  let last = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (character === QUOTE) {
      const end = stringEnd(text, at)
      last = text.slice(at, end)
      at = end - 1
    } else if (character === ':') {
      const known = keys.at(-1)
      const key = keyOf(last)
      if (known?.has(key)) return `the key ${key} comes twice, and one would be dropped`
      known?.add(key)
    } else if (character === '{') keys.push(new Set())
    else if (character === '[') keys.push(null)
    else if (character === '}' || character === ']') keys.pop()
    else if (character === '-' || (character >= '0' && character <= '9')) {
      NUMBER.lastIndex = at
      const number = NUMBER.exec(text)?.[0] ?? character
      if (!isKept(number)) return `the number ${number} would become another one`
      at += number.length - 1
    }
  }
  return null
}

/** The place behind the quote that ends the string which begins here. */
function stringEnd(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const quote = text.indexOf(QUOTE, from)
    if (quote < 0) return text.length
    let backslashes = 0
    while (text[quote - 1 - backslashes] === BACKSLASH) backslashes += 1
    if (backslashes % 2 === 0) return quote + 1
    from = quote + 1
  }
}

function keyOf(quoted: string): string {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted
  }
}

function isKept(number: string): boolean {
  if (/^-?\d+$/.test(number)) {
    const value = BigInt(number)
    if (value >= LEAST && value <= MOST) return number !== '-0'
  }
  return exactly(number) === exactly(String(Number(number)))
}

/** Digits without zeros around them, and the power of ten that they are multiplied with. */
function exactly(number: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] = PARTS.exec(number) ?? []
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(power) - fraction.length + digits.length - significant.length}`
}
