import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream'
import { CsvError, type InfoRecord, type Parser, parse } from 'csv-parse'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'
import { refuseDoubtfulHeader } from './doubtful-header.ts'
import { decoded, encodingOf } from './encoding.ts'
import { EscapedText } from './escaped-text.ts'
import { BACKSLASH, type CsvFormat, findFormat, type GivenFormat, NULL_MARK, NULL_WORD, quoted } from './format.ts'
import { linesAbove, refuseMarkup, without } from './lines-above.ts'
import { openSource } from './source.ts'

export interface CsvRow {
  /** Line of the file on which the record begins, from 1. */
  readonly line: number
  readonly fields: readonly (string | null)[]
}

/** A file whose header has been read. */
export interface OpenCsv {
  readonly format: CsvFormat
  readonly header: readonly string[]
  /** The records behind the header, once. */
  readonly rows: AsyncIterable<CsvRow>
  readonly bytes: number
  /** The SHA-256 of the bytes, when all rows have been read. */
  digest(): string
  /** Empty lines among the rows that have been read. */
  emptyLines(): number
}

export interface OpenOptions {
  readonly given?: GivenFormat
  /** Columns that the header may name; null where the table is made of the header. */
  readonly columns?: readonly string[] | null
  /** The names of the columns, in their order, where the first line is a row. */
  readonly header?: readonly string[] | undefined
  /** The first line names the columns, whatever it looks like. */
  readonly hasHeader?: boolean | undefined
  /** Lines above the header, or above the first row. */
  readonly skipLines?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const HEAD_BYTES = 4096
const SAMPLE_CHARACTERS = 65_536
/** Of a quote that is not closed the rest of the file would be one field. */
const MOST_RECORD_BYTES = 64 * 1024 * 1024

/**
 * Opens a CSV file, finds out how it is written and reads it record by record in bounded memory. Throws `Configuration`
 * when there is no such file, or when it can be read in two ways; `Terminal` with the line for what cannot be read.
 */
export async function openCsv(file: string, options: OpenOptions = {}): Promise<OpenCsv> {
  const { columns = [], header, signal } = options
  const source = await openSource(file, signal)
  const hash = createHash('sha256')
  const bytes = await peeked(hashed(source.chunks, hash), (head) => head.length >= HEAD_BYTES, Buffer.concat)
  const encoding = encodingOf(file, bytes.head ?? Buffer.alloc(0), options.given?.encoding)
  const isEnough = (head: string) => head.length > SAMPLE_CHARACTERS
  const text = await peeked(decoded(file, encoding, bytes.all), isEnough, (parts: string[]) => parts.join(''))
  const head = text.head ?? ''
  const isWhole = head.length <= SAMPLE_CHARACTERS
  const whole = isWhole ? head : head.slice(0, SAMPLE_CHARACTERS).replace(/\r$/, '')
  const above = linesAbove(file, whole, options)
  const { given } = above
  const sample = whole.slice(above.characters)
  refuseMarkup(file, sample)
  const width = header?.length
  const format = findFormat({ file, text: sample, isWhole, columns: columns ?? [], width }, given, encoding.name)
  if (format.delimiter === format.quote) {
    throw new ConfigurationError(
      `${file}: the delimiter and the quote are the same, so nothing is imported; give another --quote, or --quote none.`,
    )
  }
  const isDelimiterGiven = given.delimiter !== undefined
  const isHeaderGiven = header !== undefined || options.hasHeader === true
  if (columns === null) {
    refuseDoubtfulHeader({ file, text: sample, isWhole, format, isDelimiterGiven, isHeaderGiven })
  }
  const records = new Records(file, format, given, { width: width ?? 0, line: above.lines + 1 })
  const rows = records.read(without(above.characters, text.all))
  return {
    format,
    header: header ?? (await headerOf(file, rows)),
    rows,
    bytes: source.bytes,
    digest: () => hash.digest('hex'),
    emptyLines: () => records.emptyLines,
  }
}

async function headerOf(file: string, rows: AsyncGenerator<CsvRow>): Promise<readonly string[]> {
  const first = await rows.next()
  if (!first.done) return first.value.fields.map((field) => (field ?? '').trim())
  throw new ConfigurationError(`${file} is empty, so nothing is imported; its first line must name the columns.`)
}

async function* hashed(chunks: AsyncIterable<Buffer>, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}

/** Reads ahead until there is enough; `all` is everything, from the beginning. */
async function peeked<T>(
  parts: AsyncGenerator<T>,
  isEnough: (head: T) => boolean,
  join: (parts: T[]) => T,
): Promise<{ readonly head: T | null; readonly all: AsyncGenerator<T> }> {
  let head: T | null = null
  while (head === null || !isEnough(head)) {
    const next = await parts.next()
    if (next.done) break
    head = head === null ? next.value : join([head, next.value])
  }
  async function* all(): AsyncGenerator<T> {
    if (head !== null) yield head
    yield* parts
  }
  return { head, all: all() }
}

const RECORD_DELIMITERS = { any: ['\r\n', '\n'], lf: ['\n'], crlf: ['\r\n'], cr: ['\r'] } as const

class Records {
  emptyLines = 0
  readonly #file: string
  readonly #format: CsvFormat
  readonly #given: GivenFormat
  readonly #nulls: ReadonlySet<string>
  readonly #escaped: EscapedText | null
  /** Fields of a record; 0 before the header has been read. */
  #width: number
  /** The line on which the record begins that is read. */
  #line: number
  /** Line ends within the fields of that record that have been read. */
  #within = 0
  #hasLoneEnds = false
  #endsInLineEnd = false

  constructor(file: string, format: CsvFormat, given: GivenFormat, start: { width: number; line: number }) {
    this.#width = start.width
    this.#line = start.line
    this.#given = given
    this.#file = file
    this.#format = format
    this.#nulls = new Set(format.nulls)
    this.#escaped = format.escape === BACKSLASH ? new EscapedText(given.escape === BACKSLASH) : null
  }

  async *read(text: AsyncIterable<string>): AsyncGenerator<CsvRow> {
    const { delimiter, quote, lineEnds } = this.#format
    const isFound = this.#given.lineEnds === undefined && lineEnds !== 'cr'
    const parser: Parser = parse({
      delimiter,
      quote,
      escape: quote,
      record_delimiter: [...RECORD_DELIMITERS[isFound ? 'any' : lineEnds]],
      skip_empty_lines: true,
      max_record_size: MOST_RECORD_BYTES,
      cast: (value, { quoting }) => this.#field(value, quoting) as string,
      on_record: (fields: string[], info: InfoRecord) => this.#record(fields, info) as never,
    })
    pipeline(this.#checked(text), parser, () => {})
    try {
      for await (const row of parser as AsyncIterable<CsvRow>) yield row
    } catch (error) {
      throw this.#translated(error, parser)
    }
    // The parser counts what stands behind the last line end as an empty line.
    this.#passEmpty(parser.info.empty_lines - (this.#endsInLineEnd ? 1 : 0))
  }

  async *#checked(text: AsyncIterable<string>): AsyncGenerator<string> {
    const { lineEnds } = this.#format
    const lone = lineEnds === 'cr' ? /\n/ : /\r(?!\n)/
    for await (const part of this.#escaped?.hidden(text, () => this.#where()) ?? text) {
      // A CR at the end of a part may be half of a line end: fields are looked at then, and nothing more.
      if (this.#given.lineEnds === undefined && !this.#hasLoneEnds) this.#hasLoneEnds = lone.test(part)
      this.#endsInLineEnd = /[\r\n]$/.test(part)
      yield part
    }
  }

  #field(raw: string, isQuoted: boolean): string | null {
    if (isQuoted) this.#within += linesIn(raw)
    else if (this.#hasLoneEnds && /[\r\n]/.test(raw)) throw this.#loneEnd()
    if (this.#width === 0) return this.#escaped?.shown(raw, () => this.#where()) ?? raw
    const isMark = this.#escaped?.isNull(raw) === true
    const value = isMark ? NULL_MARK : (this.#escaped?.shown(raw, () => this.#where()) ?? raw)
    if (this.#nulls.has(value) && (!isQuoted || this.#format.quotedNulls)) return null
    if (this.#given.nulls === undefined) this.#refuseDoubtful(value, isQuoted)
    return value
  }

  /** What the beginning of the file has not shown may be NULL or text. */
  #refuseDoubtful(value: string, isQuoted: boolean): void {
    const [mark] = this.#format.nulls
    const mayEscape = this.#escaped === null && this.#given.escape === undefined
    if (mark === NULL_MARK && mayEscape && value.includes(BACKSLASH)) {
      throw new TerminalError(
        `${this.#where()}: NULL is ${NULL_MARK} in this file, so the backslash in ${quoted(value)} may begin an escape (\\t, \\n) or be itself, and nothing is imported; say --escape backslash, or --escape quote where it is itself.`,
      )
    }
    if (isQuoted || mark === NULL_MARK) return
    const isDoubtful = value === NULL_MARK || (value === NULL_WORD && mark !== NULL_WORD)
    if (!isDoubtful && (value !== '' || mark === '')) return
    const what = value === '' ? 'an empty field' : `the field ${value}`
    throw new TerminalError(
      `${this.#where()}: ${what} without quotes may be NULL or a text, so nothing is imported; say what is NULL in this file, --null '' --null '${value || mark}' for an empty field and ${value || mark}.`,
    )
  }

  #record(fields: readonly (string | null)[], { empty_lines: empty }: InfoRecord): CsvRow {
    if (this.#width === 0) this.#width = fields.length
    this.#passEmpty(empty)
    const line = this.#line
    if (fields.length !== this.#width) throw this.#otherLength(fields.length)
    this.#line += 1 + this.#within
    this.#within = 0
    return { line, fields }
  }

  /** The first row, where the columns are said; the parser holds the others against it. */
  #otherLength(length: number): Error {
    return new TerminalError(
      `${this.#file}, line ${this.#line}: ${fieldsOf(length)}, and --columns names ${this.#width}, so nothing is imported; name each of them, or say which character separates its fields, --delimiter semicolon.`,
    )
  }

  #passEmpty(empty: number): void {
    const passed = empty - this.emptyLines
    this.emptyLines = empty
    if (passed > 0 && this.#width === 1 && this.#line > 1) {
      throw new TerminalError(
        `${this.#file}, line ${this.#line}: an empty line in a file of one column may be a row with NULL or none, so nothing is imported; remove it, or write what stands for NULL and say it with --null.`,
      )
    }
    this.#line += passed
  }

  #where(): string {
    return `${this.#file}, line ${this.#line + this.#within}`
  }

  #loneEnd(): Error {
    const what = this.#format.lineEnds === 'cr' ? 'LF where lines end in CR' : 'CR where lines end in LF or CRLF'
    return new TerminalError(
      `${this.#where()}: a lone ${what}, outside of quotes, may end a line or be a part of the field, so nothing is imported; put the field in quotes, or say which line ends there are, --line-ends lf.`,
    )
  }

  #translated(error: unknown, { info }: Parser): unknown {
    if (!(error instanceof CsvError)) return error
    this.#line += info.empty_lines - this.emptyLines
    this.emptyLines = info.empty_lines
    return new TerminalError(`${this.#explained(error)}, so nothing is imported; ${this.#remedy(error)}.`, {
      cause: error,
    })
  }

  #explained({ code, message, record }: CsvError & { record?: unknown }): string {
    const where = this.#where()
    switch (code as string) {
      case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH':
        return `${this.#file}, line ${this.#line}: ${fieldsOf((record as unknown[]).length)}, and the header has ${this.#width}`
      case 'CSV_QUOTE_NOT_CLOSED':
        return `${where}: the quote that is opened here is not closed`
      case 'CSV_MAX_RECORD_SIZE':
        return `${where}: the record that begins here has more than 64 MiB, as where a quote is not closed`
      case 'CSV_INVALID_CLOSING_QUOTE':
        return `${where}: the quote that is opened here ends before the field does`
      case 'INVALID_OPENING_QUOTE':
      case 'CSV_INVALID_OPENING_QUOTE':
        return `${where}: a quote in the middle of a field that does not begin with one`
      default:
        return `${where}: ${message}`
    }
  }

  #remedy({ code }: CsvError): string {
    switch (code as string) {
      case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH':
        return 'correct the line, or say which character separates its fields, --delimiter semicolon'
      case 'CSV_INVALID_CLOSING_QUOTE':
        return 'double the quotes within the field, or say how they are written, --escape backslash or --quote none'
      default:
        return 'correct the line, or say that no field is quoted, --quote none'
    }
  }
}

function fieldsOf(count: number): string {
  return count === 1 ? '1 field' : `${count} fields`
}

function linesIn(text: string): number {
  if (!text.includes('\n') && !text.includes('\r')) return 0
  return text.match(/\r\n|\n|\r/g)?.length ?? 0
}
