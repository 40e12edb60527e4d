/** How many folded texts are kept, since an address asks for the same ones many times; then all are forgotten. */
const MOST_KEPT = 5_000
const LONGEST_KEPT = 60

const kept = new Map<string, string>()

/** Text for comparison: lower case, without accents, dots and doubled spaces. */
export function fold(text: string): string {
  const known = kept.get(text)
  if (known !== undefined) return known
  const folded = text
    .normalize('NFD')
    .replace(/[\p{M}.]/gu, '')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase()
  if (text.length > LONGEST_KEPT) return folded
  if (kept.size >= MOST_KEPT) kept.clear()
  kept.set(text, folded)
  return folded
}
