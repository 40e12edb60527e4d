import { visible } from '#dray-infra/texts/invisible.ts'
import { LINE_ENDS } from './format.ts'

/** The colours that `status` gives, and what ends one; a line's end. All else that a terminal obeys is not ours. */
const ESCAPE = '\u001b'
const OURS = new RegExp(`(${ESCAPE}\\[(?:3[1-6]|39|90)m|\n)`)

/** A text as a terminal may get it, whatever rows, messages of servers or the state say in it. */
export function shown(text: string): string {
  return text
    .split(OURS)
    .map((part, place) => (place % 2 === 1 ? part : visible(part)))
    .join('')
}

/** The same in one line, for a cell of a table. */
export function inOneLine(text: string): string {
  return shown(text.replace(LINE_ENDS, ' '))
}

/** What was asked for, on stdout. */
export function print(text: string): void {
  process.stdout.write(shown(text))
}

/** What goes on, on stderr. */
export function say(text: string): void {
  process.stderr.write(shown(text))
}
