/** How many texts are kept with what became of them; then all are forgotten. */
const MOST_KEPT = 5_000
const LONGEST_KEPT = 60

/** A function of a text that an address asks for many times: what it made of the latest short ones is kept. */
export function kept<Value>(make: (text: string) => Value): (text: string) => Value {
  const known = new Map<string, Value>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    const made = make(text)
    if (text.length > LONGEST_KEPT) return made
    if (known.size >= MOST_KEPT) known.clear()
    known.set(text, made)
    return made
  }
}

const ASCII = /^[ -~]*$/

/** Text for comparison: lower case, without accents, dots and doubled spaces. */
export const fold = kept((text: string): string => {
  if (ASCII.test(text)) {
    const undotted = text.includes('.') ? text.replaceAll('.', '') : text
    return (undotted.includes('  ') ? undotted.replace(/ +/g, ' ') : undotted).trim().toLowerCase()
  }
  return text
    .normalize('NFD')
    .replace(/[\p{M}.]/gu, '')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase()
})
