import { visible } from '#dray-infra/texts/invisible.ts'
import { LINE_ENDS } from './format.ts'
import { folded } from './text-width.ts'

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

/** What was asked for, on stdout: sentences and tables. */
export function print(text: string): void {
  process.stdout.write(sentences(text, process.stdout))
}

/** Code, values and documents on stdout, whose lines are theirs. */
export function printAsIs(text: string): void {
  process.stdout.write(shown(text))
}

/** What goes on, on stderr. */
export function say(text: string): void {
  process.stderr.write(sentences(text, process.stderr))
}

function sentences(text: string, { isTTY, columns }: NodeJS.WriteStream): string {
  return isTTY && columns > 0 ? folded(shown(text), columns) : shown(text)
}
