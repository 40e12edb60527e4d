import { styleText } from 'node:util'
import Table from 'cli-table3'
import type { ColumnDefinition } from 'dray/internal/active-record/table-definition.ts'
import type { ValidationError } from 'dray/internal/active-record/validations.ts'
import type { Text } from 'dray/internal/block/block.ts'
import { quotedText, valueLiteral } from '#dray-infra/add/literals.ts'
import type { Verdict } from './verdict.ts'

/** A field of two rows; `undefined` where a row is not said to have it. */
export interface Pair {
  readonly column: ColumnDefinition
  readonly expected: Text | undefined
  readonly became: Text
}

/** Of 80 columns: node:test moves messages in by two. */
const WIDTH = 78
const LONGEST_NAME = 24
const GAP = '  '
const DIFFERS = '≠'
const noLines = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((place) =>
    [place, `${place}-mid`, `${place}-left`, `${place}-right`].map((name) => [name, '']),
  ),
)

export function differs({ expected, became }: Pair): boolean {
  return expected !== undefined && expected !== became
}

/** Two rows side by side, with a sign and on a terminal a colour before what differs; within 80 columns. */
export function sideBySide(pairs: readonly Pair[], titles: readonly [string, string] = ['expected', 'became']): string {
  const lines = pairs.map((pair) => ({
    isOther: differs(pair),
    cells: [pair.column.name, shown(pair.column, pair.expected), shown(pair.column, pair.became)] as const,
  }))
  const longest = (place: 0 | 1 | 2, title: string) =>
    Math.max(title.length, ...lines.map(({ cells }) => widthOf(cells[place])))
  const names = Math.min(longest(0, ''), LONGEST_NAME)
  const each = Math.floor((WIDTH - DIFFERS.length - names - 3 * GAP.length) / 2)
  const widths = [names, Math.min(longest(1, titles[0]), each), Math.min(longest(2, titles[1]), each)] as const
  const rows = lines.map(({ isOther, cells }) => [
    isOther ? DIFFERS : '',
    wrapped(cells[0], names),
    coloured(isOther ? 'green' : null, wrapped(cells[1], widths[1])),
    coloured(isOther ? 'red' : null, wrapped(cells[2], widths[2])),
  ])
  return table(['', '', ...titles], rows, [DIFFERS.length, ...widths])
}

/** What became of a row, where it was to be something else. */
export function told({ kind, row, errors }: Verdict): string {
  if (kind === 'quarantined') return `it was quarantined:\n${listed(errors)}`
  if (kind === 'loaded') {
    const names = Math.min(Math.max(...row.map(({ column }) => widthOf(column.name))), LONGEST_NAME)
    const values = WIDTH - names - GAP.length
    const rows = row.map(({ column, text }) => [wrapped(column.name, names), wrapped(shown(column, text), values)])
    return `it was loaded:\n${table([], rows, [names, values])}`
  }
  return kind === 'deleted' ? 'it was deleted.' : 'it was filtered: the transform gave null.'
}

export function listed(said: readonly ValidationError[]): string {
  if (said.length === 0) return `${GAP}nothing`
  return said
    .map(
      ({ field, code, message }) =>
        `${GAP}${quotedText(field)}, ${quotedText(code)}${message === '' ? '' : `: ${message}`}`,
    )
    .join('\n')
}

function shown(column: ColumnDefinition, text: Text | undefined): string {
  if (text === undefined) return ''
  try {
    return valueLiteral(text, column.field.settings)
  } catch {
    return quotedText(String(text))
  }
}

function coloured(colour: 'green' | 'red' | null, text: string): string {
  return colour === null ? text : styleText(colour, text, { stream: process.stderr })
}

/** Signs beyond ASCII may take two columns. */
const widthOfSign = (sign: string) => (sign > '~' ? 2 : 1)
const widthOf = (text: string) => [...text].reduce((width, sign) => width + widthOfSign(sign), 0)

/** In lines of so many columns; the table itself would cut off, or lose, what is wider. */
function wrapped(text: string, width: number): string {
  const lines = ['']
  let left = width
  for (const sign of text) {
    left -= widthOfSign(sign)
    if (left < 0) {
      lines.push('')
      left = width - widthOfSign(sign)
    }
    lines[lines.length - 1] += sign
  }
  return lines.join('\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[], widths: readonly number[]): string {
  const made = new Table({
    head: [...head],
    colWidths: [...widths],
    chars: { ...noLines, middle: GAP },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  })
  made.push(...rows.map((row) => [...row]))
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
