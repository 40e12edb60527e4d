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
    Math.max(title.length, ...lines.map(({ cells }) => [...cells[place]].length))
  const names = Math.min(longest(0, ''), LONGEST_NAME)
  const each = Math.floor((WIDTH - DIFFERS.length - names - 3 * GAP.length) / 2)
  const widths = [names, Math.min(longest(1, titles[0]), each), Math.min(longest(2, titles[1]), each)]
  const rows = lines.map(({ isOther, cells }) => [
    isOther ? DIFFERS : '',
    cells[0],
    isOther ? coloured('green', cells[1]) : cells[1],
    isOther ? coloured('red', cells[2]) : cells[2],
  ])
  return table(['', '', ...titles], rows, [DIFFERS.length, ...widths])
}

/** What became of a row, where it was to be something else. */
export function told({ kind, row, errors }: Verdict): string {
  if (kind === 'quarantined') return `it was quarantined:\n${listed(errors)}`
  if (kind === 'loaded') {
    const rows = row.map(({ column, text }) => [column.name, shown(column, text)])
    const names = Math.min(Math.max(...rows.map(([name = '']) => name.length)), LONGEST_NAME)
    return `it was loaded:\n${table([], rows, [names, WIDTH - names - GAP.length])}`
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

function coloured(colour: 'green' | 'red', text: string): string {
  return styleText(colour, text, { stream: process.stderr })
}

function table(head: readonly string[], rows: readonly (readonly string[])[], widths: readonly number[]): string {
  const made = new Table({
    head: [...head],
    colWidths: [...widths],
    chars: { ...noLines, middle: GAP },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    wordWrap: true,
    wrapOnWordBoundary: false,
  })
  made.push(...rows.map((row) => [...row]))
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
