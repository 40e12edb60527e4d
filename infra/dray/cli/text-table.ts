import Table from 'cli-table3'
import { inOneLine } from './output.ts'
import { lengthOf, longestWord, wrapped } from './text-width.ts'

export interface Column<T> {
  readonly title: string
  readonly align?: 'left' | 'right'
  readonly value: (row: T) => string
}

const noLines = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}
const GAP = noLines.middle.length

/** Of a column of the table, all that stands in it. */
interface Cells {
  readonly title: string
  readonly align: 'left' | 'right'
  readonly values: readonly string[]
}

/** Characters of a line of the terminal; no end where nobody looks at one. */
export function terminalWidth({ columns }: Pick<NodeJS.WriteStream, 'columns'> = process.stdout): number {
  return columns || Number(process.env.COLUMNS) || Number.POSITIVE_INFINITY
}

/**
 * Rows in aligned columns, without lines, titles first. Where they are wider than the terminal, columns of nothing but
 * zeros go, then long texts take several lines, and at last each row stands upright.
 */
export function textTable<T>(columns: readonly Column<T>[], rows: readonly T[], width = terminalWidth()): string {
  const all = columns.map(
    ({ title, align = 'left', value }): Cells => ({ title, align, values: rows.map((row) => inOneLine(value(row))) }),
  )
  if (widthOf(all) <= width) return drawn(all)
  const telling = all.filter((cells, place) => place === 0 || !saysNothing(cells))
  return drawnWithin(telling, width) ?? upright(telling, width)
}

function saysNothing({ values }: Cells): boolean {
  return values.every((value) => /^(?:0|-|)$/.test(value))
}

function widthOf(columns: readonly Cells[]): number {
  return columns.reduce((sum, cells) => sum + ownWidth(cells) + GAP, -GAP)
}

function ownWidth({ title, values }: Cells): number {
  return Math.max(...[title, ...values].map(lengthOf))
}

/** Null where the words alone are too wide. */
function drawnWithin(columns: readonly Cells[], width: number): string | null {
  const widths = columns.map(ownWidth)
  const least = columns.map((cells, place) =>
    cells.align === 'right' ? (widths[place] as number) : Math.max(...[cells.title, ...cells.values].map(longestWord)),
  )
  for (let excess = widthOf(columns) - width; excess > 0; excess--) {
    const room = widths.map((own, place) => (own > (least[place] as number) ? own : 0))
    const widest = room.indexOf(Math.max(...room))
    if (room[widest] === 0) return null
    widths[widest] = (widths[widest] as number) - 1
  }
  return drawn(
    columns.map((cells, place) => ({
      ...cells,
      values: cells.values.map((value) => wrapped(value, widths[place] as number).join('\n')),
    })),
  )
}

function drawn(columns: readonly Cells[]): string {
  const table = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align }) => align),
    chars: noLines,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  const rows = columns[0]?.values.keys() ?? []
  for (const row of rows) table.push(columns.map(({ values }) => values[row] as string))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** A row is a paragraph, a column a line of it. */
function upright(columns: readonly Cells[], width: number): string {
  const titles = Math.max(...columns.map(({ title }) => lengthOf(title))) + GAP
  const room = Math.max(1, width - titles)
  const paragraphs = [...(columns[0]?.values.keys() ?? [])].map((row) =>
    columns
      .flatMap(({ title, values }) =>
        wrapped(values[row] as string, room).map((part, line) => `${(line === 0 ? title : '').padEnd(titles)}${part}`),
      )
      .map((line) => line.trimEnd())
      .join('\n'),
  )
  return paragraphs.join('\n\n')
}
