import { ConfigurationError } from 'dray/internal/errors.ts'
import { type CsvFormat, DELIMITERS, nameOf, quoted, wordFor } from './format.ts'
import { type ScannedField, scan } from './scan.ts'

/** The beginning of a file whose header is to name the columns of a table that is made. */
export interface Beginning {
  readonly file: string
  readonly text: string
  /** It is the whole file. */
  readonly isWhole: boolean
  readonly format: CsvFormat
  readonly isDelimiterGiven: boolean
  /** The first line is said to be the header, or to be none. */
  readonly isHeaderGiven: boolean
}

const MOST_LINES_ABOVE = 20
const LEAST_RECORDS = 2
/** Of columns that a message lists. */
const MOST_NAMES = 20
/** `first name` is one name, and `Anna Maria` is one, too. */
const LEAST_WORDS = 3
const WIDE_GAP = /\S {2,}\S/
const VALUE = /^(?:[+-]?[\d.,]*\d(?:e[+-]?\d+)?%?|\d{4}-\d\d?-\d\d?(?:[ T].*)?|\d\d?[./]\d\d?[./]\d{2,4})$/i

/**
 * Throws `Configuration` where the file may be another one than a header and its rows: the table would be made with the
 * wrong columns, and nobody would see it. Says what was seen, and by which option it is settled.
 */
export function refuseDoubtfulHeader(beginning: Beginning): void {
  const { file, isDelimiterGiven, isHeaderGiven } = beginning
  const records = recordsOf(beginning, beginning.text, beginning.format.delimiter) ?? []
  const [first = []] = records
  const doubt =
    (first.length === 1 && !isDelimiterGiven ? otherShape(beginning, records) : null) ??
    (isHeaderGiven ? null : firstRow(first))
  if (doubt !== null) throw new ConfigurationError(`${file}: ${doubt}`)
}

function recordsOf({ format, isWhole }: Beginning, text: string, delimiter: string) {
  const { quote, escape: before, lineEnds } = format
  const { records, isFaulty } = scan(text, { delimiter, quote, escape: before, isCr: lineEnds === 'cr' }, isWhole)
  return isFaulty ? null : records
}

function otherShape(beginning: Beginning, records: readonly (readonly ScannedField[])[]): string | null {
  const one = `Where it is one column, say so by a character that is not in it, --delimiter tab.`
  const [line = '', ...others] = records.map(([field]) => field?.value ?? '')
  const above = linesAbove(beginning)
  if (above !== null) {
    const { skipped, delimiter, width } = above
    return `from line ${skipped + 1} on there are ${width} fields, separated by ${nameOf(delimiter)}, and line 1 is ${JSON.stringify(line.slice(0, 80))}, so nothing is imported; say how many lines stand above the header, --skip-lines ${skipped}. ${one}`
  }
  if (others.length > 0 && [line, ...others].every((text) => WIDE_GAP.test(text))) {
    return `its lines have wide gaps in them, as columns of fixed width do, so nothing is imported; write it as CSV. ${one}`
  }
  for (const delimiter of [':', ' ']) {
    const width = evenWidth(recordsOf(beginning, beginning.text, delimiter))
    if (width < (delimiter === ' ' ? LEAST_WORDS : 2)) continue
    return `its fields may be separated by ${nameOf(delimiter)}, so nothing is imported; say so, --delimiter ${wordFor(delimiter)}. ${one}`
  }
  return null
}

/** The first line from which on each has as many fields as the others. */
function linesAbove(beginning: Beginning) {
  const { text } = beginning
  let from = 0
  for (let skipped = 1; skipped <= MOST_LINES_ABOVE; skipped++) {
    from = behindLine(text, from)
    if (from < 0) return null
    for (const delimiter of DELIMITERS) {
      const width = evenWidth(recordsOf(beginning, text.slice(from), delimiter))
      if (width > 1) return { skipped, delimiter, width }
    }
  }
  return null
}

/** How many fields each record has; 0 where they differ, or are too few to tell. */
function evenWidth(records: readonly (readonly unknown[])[] | null): number {
  const width = records?.[0]?.length ?? 0
  return records !== null && records.length >= LEAST_RECORDS && records.every(({ length }) => length === width)
    ? width
    : 0
}

function firstRow(first: readonly ScannedField[]): string | null {
  const value = first.find(({ value }) => VALUE.test(value.trim()))?.value.trim()
  if (value === undefined) return null
  const names = first.slice(0, MOST_NAMES).map((_, index) => `<name ${index + 1}>`)
  if (first.length > MOST_NAMES) names.push('…')
  return `its first line has ${quoted(value)}, which looks like a value and not like the name of a column, so nothing is imported; where the first line is a row, name the columns, --columns '${names.join(',')}'; where it names them, say --header.`
}

/** Where the next line begins; -1 behind the last one. */
export function behindLine(text: string, from: number): number {
  const end = /\r\n|\n|\r/g
  end.lastIndex = from
  return end.exec(text) === null ? -1 : end.lastIndex
}
