/** What stands between two commas, line ends, dashes or brackets. */
export interface Part {
  readonly text: string
  /** What stood before it, so that the line can be put together as it was written. */
  readonly before: string
}

/** `Belém-PA` has a state of Brazil in it, `SAINT-LO` has none. */
const STATES = 'AC|AL|AM|AP|BA|CE|DF|ES|GO|MA|MG|MS|MT|PA|PB|PE|PI|PR|RJ|RN|RO|RR|RS|SC|SE|SP|TO'
const SEPARATOR = new RegExp(
  String.raw`(\s*[,،、;]\s*|\s+[-–—]\s+|\s*\(\s*|\s*\)\s*|\/(?=\p{Lu}{2}(?:$|[,\s]))|-(?<=\p{L}{2}-)(?=(?:${STATES})(?:$|[,\s])))`,
  'u',
)

/** Splits at commas, dashes between spaces, and brackets; empty parts are dropped. */
export function splitIntoParts(text: string): Part[] {
  const parts: Part[] = []
  const pieces = text.split(SEPARATOR)
  for (let at = 0; at < pieces.length; at += 2) {
    const trimmed = (pieces[at] ?? '').trim()
    if (trimmed !== '' && !/^[.-]+$/.test(trimmed)) parts.push({ text: trimmed, before: pieces[at - 1] ?? '' })
  }
  return parts
}

function separator(before: string): string {
  if (before.includes('(')) return ' ('
  if (before.includes(')')) return ', '
  if (/[-–—/]/.test(before)) return before
  return /\s$/.test(before) ? ', ' : ','
}

export function joinParts(parts: readonly Part[]): string | null {
  if (parts.length === 0) return null
  return parts
    .map(({ text, before }, at) => {
      const between = at === 0 ? '' : separator(before)
      return `${between}${text}${between === ' (' ? ')' : ''}`
    })
    .join('')
}

/** Puts other text in the place of a part, or takes the part away where nothing is left of it. */
export function replaceAt(parts: Part[], at: number, text: string): void {
  const part = parts[at]
  if (part === undefined) return
  if (text === '') parts.splice(at, 1)
  else parts[at] = { ...part, text }
}

/** Cuts off the last `count` words: the words before and the words cut off; null where there are fewer. */
export function cutLastWords(text: string, count: number): { rest: string; words: string } | null {
  let at = text.length
  for (let i = 0; i < count; i++) {
    if (at <= 0) return null
    at = text.lastIndexOf(' ', at - 1)
    if (at < 0 && i < count - 1) return null
  }
  return { rest: at < 0 ? '' : text.slice(0, at), words: text.slice(at + 1) }
}

/** Cuts off the first `count` words, as `cutLastWords` does the last. */
export function cutFirstWords(text: string, count: number): { rest: string; words: string } | null {
  let at = -1
  for (let i = 0; i < count; i++) {
    at = text.indexOf(' ', at + 1)
    if (at < 0) return null
  }
  return { rest: text.slice(at + 1), words: text.slice(0, at) }
}

/** The dot of `D.C.` and `Bs. As.` belongs to it, the one of `Springfield.` ends the address. */
export function withoutTrailingDot(text: string): string {
  if (!text.endsWith('.') || /\.(?:\p{L}| \p{L}{1,2})\.$/u.test(text.slice(-5))) return text
  return text.replace(/ ?\.{1,3}$/, '')
}
