import { closest, distance } from 'fastest-levenshtein'

/** So many names are said: a workflow may have hundreds of steps. */
const MOST_SAID = 20

const LONGEST_SAID = 60

/** A name as somebody has typed it, for a sentence. */
export function shortName(asked: string): string {
  if (asked.trim() === '') return `'${asked}'`
  return asked.length > LONGEST_SAID ? `${asked.slice(0, LONGEST_SAID)}…` : asked
}

/** The end of a sentence about a name that nothing has: `did you mean orders? There are customers, orders.` */
export function knownNames(asked: string, all: readonly string[]): string {
  const names = [...new Set(all)]
  if (names.length === 0) return 'there are none.'
  const said = `here are ${names.slice(0, MOST_SAID).join(', ')}${names.length > MOST_SAID ? ` and ${names.length - MOST_SAID} others` : ''}.`
  const near = closest(asked, names)
  const most = Math.min(Math.max(2, asked.length / 3), asked.length / 2)
  return distance(asked, near) <= most ? `did you mean ${near}? T${said}` : `t${said}`
}
