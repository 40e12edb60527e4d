import { ConfigurationError } from 'dray/internal/errors.ts'
import { type Scanned, type ScannedField, scan } from './scan.ts'

/** How a file is written. What is said here is shown in the report, and each of it can be given as an option. */
export interface CsvFormat {
  readonly encoding: string
  readonly delimiter: string
  /** Null where fields are never quoted. */
  readonly quote: string | null
  /** What stands before a quote within quotes: the quote itself, or a backslash; null where fields are never quoted. */
  readonly escape: string | null
  readonly lineEnds: LineEnds
  /** An unquoted field that is one of these is NULL. */
  readonly nulls: readonly string[]
  /** A quoted field that is one of `nulls` is NULL as well. */
  readonly quotedNulls: boolean
}

/** `any` is LF and CRLF by turns, with no CR alone. */
export type LineEnds = 'lf' | 'crlf' | 'cr' | 'any'

export type GivenFormat = Partial<CsvFormat>

export const DELIMITERS = [',', ';', '\t', '|', '~', '^', '\u0001', '\u001f']
export const BACKSLASH = '\\'
export const NULL_MARK = '\\N'
export const NULL_WORD = 'NULL'

interface Candidate extends Scanned {
  readonly delimiter: string
  readonly quote: string | null
  readonly escape: string | null
  readonly isCr: boolean
}

/** The beginning of a file. */
export interface Sample {
  readonly file: string
  readonly text: string
  /** It is the whole file. */
  readonly isWhole: boolean
  /** Columns of the table that the header may name; of two ways to read it, the one that names them is taken. */
  readonly columns: readonly string[]
  /** How many fields a record has, where the columns are said and the first line is a row. */
  readonly width?: number | undefined
}

/**
 * Finds out how a file is written: what makes each record as long as the header. Throws `Configuration` where it can be
 * read in two ways.
 */
export function findFormat(sample: Sample, given: GivenFormat, encoding: string): CsvFormat {
  const { isCr, records, ends, ...how } = chosen(sample, candidates(sample, given))
  return {
    encoding,
    delimiter: how.delimiter,
    quote: how.quote,
    escape: how.escape,
    lineEnds: given.lineEnds ?? (isCr ? 'cr' : ends.lf === 0 && ends.crlf > 0 ? 'crlf' : ends.crlf > 0 ? 'any' : 'lf'),
    nulls: given.nulls ?? [nullOf(sample.width === undefined ? records.slice(1) : records)],
    quotedNulls: given.quotedNulls ?? false,
  }
}

function candidates({ text, isWhole }: Sample, given: GivenFormat): Candidate[] {
  const delimiters = given.delimiter === undefined ? DELIMITERS : [given.delimiter]
  const quotes = given.quote === undefined ? ['"', "'"] : [given.quote]
  const ends = crModes(text, given)
  const found: Candidate[] = []
  for (const isCr of ends) {
    for (const quote of quotes) {
      const doubled = quote === null ? null : quote
      const isEscaped = text.includes(`${BACKSLASH}${quote}`)
      const ways = given.escape !== undefined ? [given.escape] : isEscaped ? [doubled, BACKSLASH] : [doubled]
      for (const way of ways) {
        for (const delimiter of delimiters) {
          const how = { delimiter, quote, escape: way, isCr }
          const read = { ...how, ...scan(text, how, isWhole) }
          if (quote !== "'" || given.quote !== undefined || isInApostrophes(read)) found.push(read)
        }
      }
    }
  }
  return found
}

function crModes(text: string, { lineEnds }: GivenFormat): boolean[] {
  if (lineEnds !== undefined) return [lineEnds === 'cr']
  if (!/\r(?!\n)/.test(text)) return [false]
  return text.includes('\n') ? [false, true] : [true]
}

const widthOf = ({ records }: Scanned) => records[0]?.length ?? 0
const isSplit = (one: Scanned) => widthOf(one) > 1
/** Each record is as long as the header. */
const isEven = (one: Scanned) => !one.isFaulty && one.records.every(({ length }) => length === widthOf(one))

function chosen(sample: Sample, all: readonly Candidate[]): Candidate {
  const asWide = all.filter((one) => isSplit(one) && widthOf(one) === sample.width && isEven(one))
  if (asWide.length > 0) return only(sample, asWide)
  const even = all.filter((one) => isSplit(one) && isEven(one))
  if (even.length > 0) return only(sample, even)
  const split = all.filter(isSplit)
  // Lines of other lengths are for whoever reads the whole file to refuse, each with its number.
  if (split.length > 0) return only(sample, mostEven(split))
  const [first] = all.filter(isEven)
  return first ?? (all[0] as Candidate)
}

function mostEven(all: readonly Candidate[]): Candidate[] {
  const share = (one: Candidate) =>
    one.records.filter(({ length }) => length === widthOf(one)).length / Math.max(1, one.records.length)
  const most = Math.max(...all.map(share))
  return all.filter((one) => share(one) === most)
}

function only(sample: Sample, all: readonly Candidate[]): Candidate {
  const named = all.filter((one) => isNaming(one, sample.columns))
  const left = named.length > 0 ? named : [...all]
  const delimiters = [...new Set(left.map(({ delimiter }) => delimiter))]
  if (delimiters.length > 1) {
    throw new ConfigurationError(
      `${sample.file}: its fields may be separated by ${delimiters.map(nameOf).join(' or by ')}, so nothing is imported; say which it is, --delimiter ${wordFor(delimiters[0] as string)}.`,
    )
  }
  return left.find(({ quote }) => quote === "'") ?? (left[0] as Candidate)
}

function isNaming({ records: [header = []] }: Scanned, columns: readonly string[]): boolean {
  const known = new Set(columns.map((name) => name.toLowerCase()))
  return header.length > 0 && header.every(({ value }) => known.has(value.trim().toLowerCase()))
}

/** An apostrophe is a letter of many texts: it is a quote where each record has a field in it, and none has another. */
function isInApostrophes({ quote, records, isFaulty }: Candidate): boolean {
  if (quote !== "'" || isFaulty || records.length < 2) return false
  const isOther = (field: ScannedField) => !field.isQuoted && field.value.startsWith('"')
  return records.slice(1).every((record) => record.some(({ isQuoted }) => isQuoted) && !record.some(isOther))
}

/** What stands for NULL: `\N` wherever it is found; the word where it is in several columns, and no field is empty. */
function nullOf(records: readonly (readonly ScannedField[])[]): string {
  const words = new Set<number>()
  let isEmpty = false
  for (const record of records) {
    for (const [index, { value, isQuoted }] of record.entries()) {
      if (isQuoted) continue
      if (value === NULL_MARK) return NULL_MARK
      if (value === NULL_WORD) words.add(index)
      if (value === '') isEmpty = true
    }
  }
  return words.size > 1 && !isEmpty ? NULL_WORD : ''
}

const NAMES: Readonly<Record<string, string>> = {
  ',': 'comma',
  ';': 'semicolon',
  '\t': 'tab',
  '|': 'pipe',
  ' ': 'space',
}

/** A value in a message, or its beginning. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
}

/** A character for a person: `comma`, `~`, `U+0001`. */
export function nameOf(character: string): string {
  return NAMES[character] ?? (/^[!-~]+$/.test(character) ? character : codeOf(character))
}

function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}

/** A character as `--delimiter` takes it. */
export function wordFor(delimiter: string): string {
  return NAMES[delimiter] ?? (/^[!-~]$/.test(delimiter) ? `'${delimiter}'` : codeOf(delimiter))
}

/** A character as an option gives it: itself, its name, or its code (`U+0001`, `\t`, `\x01`). */
export function characterOf(option: string, text: string): string {
  const named = Object.keys(NAMES).find((character) => NAMES[character] === text.toLowerCase())
  if (named !== undefined) return named
  const [, code] = /^(?:U\+|\\x|\\u)([0-9a-f]{2,6})$/i.exec(text) ?? []
  const character = text === '\\t' ? '\t' : code === undefined ? text : String.fromCodePoint(Number.parseInt(code, 16))
  if (character.length === 1 && !/[\r\n\ud800-\udfff]/.test(character)) return character
  throw new ConfigurationError(
    `${option} ${text} is not one character, so nothing is imported; write comma, semicolon, tab, pipe, space, the character itself, or its code as U+0001.`,
  )
}
