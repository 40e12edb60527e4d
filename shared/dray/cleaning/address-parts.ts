/** What stands between two commas. */
export interface Part {
  readonly text: string
  /** Whether a space followed the comma before it, so that the line can be put together as it was written. */
  readonly spaced: boolean
}

/** Splits at commas; empty parts are dropped. */
export function splitIntoParts(text: string): Part[] {
  const parts: Part[] = []
  for (const piece of text.split(',')) {
    const trimmed = piece.trim()
    if (trimmed !== '' && trimmed !== '.') parts.push({ text: trimmed, spaced: piece.startsWith(' ') })
  }
  return parts
}

export function joinParts(parts: readonly Part[]): string | null {
  if (parts.length === 0) return null
  return parts.map(({ text, spaced }, i) => (i === 0 ? text : `${spaced ? ', ' : ','}${text}`)).join('')
}

/** Puts other text in the place of the last part, or takes the part away where nothing is left of it. */
export function replaceLast(parts: Part[], text: string): void {
  const last = parts.pop()
  if (last && text !== '') parts.push({ ...last, text })
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

/** The dot of `D.C.` belongs to it, the one of `Springfield.` ends the address. */
export function withoutTrailingDot(text: string): string {
  if (!text.endsWith('.') || /\.\p{L}\.$/u.test(text.slice(-4))) return text
  return text.replace(/ ?\.{1,3}$/, '')
}
