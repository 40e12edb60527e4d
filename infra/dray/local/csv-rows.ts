import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'

export interface CsvRow {
  /** Line of the file on which the record ends, from 1. */
  readonly line: number
  /** An empty field is NULL; a quoted empty field is the empty string, as in PostgreSQL's COPY. */
  readonly fields: readonly (string | null)[]
}

/**
 * Reads a CSV file record by record, the header included, in bounded memory. Throws `Configuration` when there is no
 * such file, `Terminal` with the line for a record that has not as many fields as the first one or is not UTF-8.
 */
export async function* csvRows(file: string): AsyncGenerator<CsvRow> {
  await requireFile(file)
  const parser = parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    cast: (value, { quoting }) => (value === '' && !quoting ? null : value) as string,
  })
  pipeline(utf8(file), parser, () => {})
  try {
    for await (const { info, record } of parser) yield { line: info.lines, fields: record }
  } catch (error) {
    throw translated(file, error)
  }
}

async function requireFile(file: string): Promise<void> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError(
      `Cannot read ${file} (${error.code}), so nothing is imported; give the path of a CSV file.`,
    )
  })
  if (!found.isFile())
    throw new ConfigurationError(`${file} is not a file, so nothing is imported; give the path of a CSV file.`)
}

/** Text of the file; stops at bytes that are not UTF-8, which a lenient decoder would change silently. */
async function* utf8(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let line = 1
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let text: string
    try {
      text = decoder.decode(chunk, { stream: true })
    } catch {
      throw notUtf8(file, line + linesBeforeFault(chunk))
    }
    line += count(text)
    yield text
  }
  try {
    yield decoder.decode()
  } catch {
    throw notUtf8(file, line)
  }
}

/** Lines of the chunk that decode; the first may begin in the middle of a character. */
function linesBeforeFault(chunk: Buffer): number {
  let lines = 0
  let start = chunk.indexOf(10) + 1
  for (let end = chunk.indexOf(10, start); start > 0 && end >= 0; start = end + 1, end = chunk.indexOf(10, start)) {
    lines += 1
    if (chunk.subarray(start, end).toString('utf8').includes('\ufffd')) return lines
  }
  return lines
}

function count(text: string): number {
  let lines = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines += 1
  return lines
}

function notUtf8(file: string, line: number): Error {
  return new TerminalError(
    `${file}, about line ${line}: bytes that are not UTF-8, so nothing is imported; convert the file to UTF-8 first.`,
  )
}

function translated(file: string, error: unknown): unknown {
  if (!(error instanceof CsvError)) return error
  const { lines } = error as CsvError & { lines?: number }
  return new TerminalError(`${file}, line ${lines ?? '?'}: ${error.message}; nothing is imported. Correct the line.`, {
    cause: error,
  })
}
