/** A variable as `parseEnv` of Node takes it. */
const SETS = /^\s*(?:export\s+)?([\w.-]+)\s*=\s*(.*)$/

/** What in the text of a `.env` sets nothing, or something else than it seems to: a clause each, without a value. */
export function envFileFaults(text: string): string[] {
  const lines = text.split(/\r?\n/)
  const faults: string[] = []
  const places = new Map<string, number>()
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] as string
    if (/^\s*(#|$)/.test(line)) continue
    const [, name, value = ''] = SETS.exec(line) ?? []
    if (name === undefined) {
      faults.push(`line ${at + 1} is no NAME=value`)
      continue
    }
    const before = places.get(name)
    if (before !== undefined) faults.push(`${name} is set in line ${before} and again in line ${at + 1}`)
    places.set(name, at + 1)
    const end = endOfValue(lines, at, value)
    if (end === null) faults.push(`the quote that begins in line ${at + 1} (${name}) is not closed`)
    else at = end
  }
  return faults
}

/** The line where a value ends; null where its quote is not closed. */
function endOfValue(lines: readonly string[], at: number, value: string): number | null {
  const [quote] = value
  if (quote === undefined || !'"\'`'.includes(quote)) return at
  if (value.indexOf(quote, 1) > 0) return at
  const end = lines.findIndex((line, place) => place > at && line.includes(quote))
  // A variable in between: the quote was forgotten, and is not that of a text of several lines.
  return end < 0 || lines.slice(at + 1, end + 1).some((line) => SETS.test(line)) ? null : end
}
