import { ConfigurationError } from 'dray/internal/errors.ts'
import { behindLine } from './doubtful-header.ts'
import { type GivenFormat, nameOf } from './format.ts'

interface Said {
  readonly given?: GivenFormat
  readonly skipLines?: number | undefined
}

/** What stands above the header. */
export interface LinesAbove {
  readonly characters: number
  readonly lines: number
  /** What is known of the format, the delimiter that a line names among it. */
  readonly given: GivenFormat
}

/** As Excel writes and reads it. */
const SEPARATOR_LINE = /^"?sep=([^\r\n"])"?(?:\r\n|\n|\r|$)/i

/** What stands above the header: lines that are to be skipped, and one that names the delimiter. */
export function linesAbove(file: string, text: string, { given = {}, skipLines = 0 }: Said): LinesAbove {
  let characters = 0
  for (let line = 0; line < skipLines; line++) {
    characters = behindLine(text, characters)
    if (characters < 0) {
      throw new ConfigurationError(
        `${file}: its beginning has ${line + 1} lines, so that ${skipLines} cannot be skipped and nothing is imported; correct --skip-lines.`,
      )
    }
  }
  const [separator, delimiter] = SEPARATOR_LINE.exec(text.slice(characters)) ?? []
  if (separator === undefined || delimiter === undefined) return { characters, lines: skipLines, given }
  if (given.delimiter !== undefined && given.delimiter !== delimiter) {
    throw new ConfigurationError(
      `${file}: line ${skipLines + 1} says that ${nameOf(delimiter)} separates its fields, and --delimiter says ${nameOf(given.delimiter)}, so nothing is imported; leave --delimiter out, or skip the line, --skip-lines ${skipLines + 1}.`,
    )
  }
  return { characters: characters + separator.length, lines: skipLines + 1, given: { ...given, delimiter } }
}

/** Throws `Configuration` for a page or another document. */
export function refuseMarkup(file: string, text: string): void {
  if (!/^\s*<(?:!doctype|\?xml|html|head|meta|body|table)\b/i.test(text)) return
  throw new ConfigurationError(
    `${file} is HTML or XML, as some programs write it under the name .xls, so nothing is imported; open it in a spreadsheet and save it as CSV.`,
  )
}

/** The text behind so many characters, which are in the first part. */
export async function* without(characters: number, parts: AsyncGenerator<string>): AsyncGenerator<string> {
  let left = characters
  for await (const part of parts) {
    if (part.length > left) yield part.slice(left)
    left = 0
  }
}
