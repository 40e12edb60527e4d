import { isUtf8 } from 'node:buffer'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'

const UTF8 = 'utf-8'

/** Beginnings of files that are no text, and what to do with them. */
const OTHER_FILES: readonly (readonly [bytes: readonly number[], what: string, remedy: string])[] = [
  [[0x1f, 0x8b], 'compressed by gzip', 'unpack it first (gunzip)'],
  [[0x50, 0x4b, 0x03, 0x04], 'a ZIP archive, which a workbook of Excel is, too', 'save or unpack it as CSV first'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'compressed by zstd', 'unpack it first (unzstd)'],
  [[0x50, 0x41, 0x52, 0x31], 'a Parquet file', 'write it as CSV first'],
  [[0xff, 0xfe, 0, 0], 'UTF-32', 'write it as UTF-8 first'],
  [[0, 0, 0xfe, 0xff], 'UTF-32', 'write it as UTF-8 first'],
]
const MARKS: readonly (readonly [bytes: readonly number[], encoding: string])[] = [
  [[0xef, 0xbb, 0xbf], UTF8],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
]

/** What a file's bytes are read as. */
export interface Encoding {
  /** By its name in the WHATWG's Encoding Standard. */
  readonly name: string
  /** Bytes of a byte order mark, which are no part of the text. */
  readonly markBytes: number
}

/**
 * The encoding that was given, or that the first bytes show: a byte order mark, or the zeros of UTF-16; else UTF-8,
 * which `decoded` holds every byte against. Of what is not UTF-8, nothing in it says which of many encodings it is.
 * Throws `Configuration` for one that is not known, and for files that are no text.
 */
export function encodingOf(file: string, head: Buffer, given: string | undefined): Encoding {
  const name = given === undefined ? undefined : knownEncoding(given)
  const mark = MARKS.find(([bytes]) => startsWith(head, bytes))
  const markBytes = mark?.[0].length ?? 0
  if (name !== undefined) return { name, markBytes: mark?.[1] === name ? markBytes : 0 }
  const other = OTHER_FILES.find(([bytes]) => startsWith(head, bytes))
  if (other !== undefined) {
    throw new ConfigurationError(`${file} is ${other[1]}, so nothing is imported; ${other[2]}.`)
  }
  return { name: mark?.[1] ?? encodingByZeros(head) ?? UTF8, markBytes }
}

function startsWith(head: Buffer, bytes: readonly number[]): boolean {
  return head.length >= bytes.length && bytes.every((byte, index) => head[index] === byte)
}

function knownEncoding(label: string): string {
  try {
    return new TextDecoder(label).encoding
  } catch {
    throw new ConfigurationError(
      `--encoding ${label} is no encoding that is known, so nothing is imported; write utf-8, utf-16le, utf-16be, windows-1252, iso-8859-2, shift_jis, gb18030 or another name of the WHATWG's Encoding Standard.`,
    )
  }
}

/** Text in UTF-16 that is mostly ASCII: every other byte is zero. */
function encodingByZeros(head: Buffer): string | null {
  const pairs = Math.floor(head.length / 2)
  const zeros = [0, 0]
  for (let at = 0; at < pairs * 2; at++) if (head[at] === 0) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1
  const [even = 0, odd = 0] = zeros
  const isMostly = (count: number) => pairs > 0 && count > pairs * 0.7
  if (isMostly(odd) && even === 0) return 'utf-16le'
  return isMostly(even) && odd === 0 ? 'utf-16be' : null
}

/** The text of the bytes. Throws `Terminal` with the line of bytes that are no text of the encoding. */
export async function* decoded(
  file: string,
  { name, markBytes }: Encoding,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<string> {
  const text = name === UTF8 ? utf8(file, chunks, markBytes) : otherText(file, name, chunks, markBytes)
  for await (const part of text) if (part !== '') yield part
}

async function* utf8(file: string, chunks: AsyncIterable<Buffer>, markBytes: number): AsyncGenerator<string> {
  const lines = new LineCount()
  let rest: Buffer = Buffer.alloc(0)
  for await (const bytes of without(markBytes, chunks)) {
    const joined = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    const end = joined.length - unfinished(joined)
    const part = joined.subarray(0, end)
    if (!isUtf8(part)) throw notText(file, UTF8, lines.at + linesBeforeFault(part), '')
    const text = part.toString('utf8')
    lines.add(text)
    yield text
    rest = joined.subarray(end)
  }
  if (rest.length > 0) throw notText(file, UTF8, lines.at, '')
}

/** Bytes at the end that may begin a character. */
function unfinished(bytes: Buffer): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length] as number
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return length < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? length : 0
  }
  return 0
}

function linesBeforeFault(bytes: Buffer): number {
  const lines = new LineCount(0)
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(10, from)
    const end = newline < 0 ? bytes.length : newline + 1
    const line = bytes.subarray(from, end)
    if (!isUtf8(line)) {
      // Line ends of one byte before the fault: the line may be one of a file whose lines end in CR.
      lines.add(line.toString('latin1', 0, firstFault(line)))
      return lines.at
    }
    lines.add(line.toString('utf8'))
    from = end
  }
  return lines.at
}

function firstFault(line: Buffer): number {
  let [valid, fault] = [0, line.length]
  while (fault - valid > 1) {
    const middle = (valid + fault) >> 1
    const head = line.subarray(0, middle)
    if (isUtf8(head.subarray(0, middle - unfinished(head)))) valid = middle
    else fault = middle
  }
  return valid
}

async function* otherText(
  file: string,
  name: string,
  chunks: AsyncIterable<Buffer>,
  markBytes: number,
): AsyncGenerator<string> {
  const decoder = new TextDecoder(name, { fatal: true, ignoreBOM: true })
  const lines = new LineCount()
  const decode = (bytes?: Buffer) => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true })
    } catch {
      throw notText(file, name, lines.at, 'or a line behind it')
    }
  }
  for await (const bytes of without(markBytes, chunks)) {
    // Small pieces: of a piece that cannot be read the first line alone is known.
    for (let from = 0; from < bytes.length; from += 4096) {
      const text = decode(bytes.subarray(from, from + 4096))
      lines.add(text)
      yield text
    }
  }
  yield decode()
}

async function* without(markBytes: number, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let left = markBytes
  for await (const chunk of chunks) {
    yield chunk.subarray(left)
    left = Math.max(0, left - chunk.length)
  }
}

/** Counts lines that end in LF, CRLF or CR. */
class LineCount {
  at: number
  #endsInCr = false

  constructor(at = 1) {
    this.at = at
  }

  add(text: string): void {
    if (text === '') return
    for (let from = text.indexOf('\n'); from >= 0; from = text.indexOf('\n', from + 1)) this.at += 1
    for (let from = text.indexOf('\r'); from >= 0; from = text.indexOf('\r', from + 1)) {
      if (from + 1 < text.length && text.charCodeAt(from + 1) !== 10) this.at += 1
    }
    if (this.#endsInCr && text.charCodeAt(0) !== 10) this.at += 1
    this.#endsInCr = text.endsWith('\r')
  }
}

function notText(file: string, encoding: string, line: number, orLater: string): TerminalError {
  const said =
    encoding === UTF8
      ? 'say which encoding it is, --encoding windows-1252 for files of Western Windows, or convert the file to UTF-8'
      : 'say another --encoding, or convert the file to UTF-8'
  const where = orLater === '' ? `line ${line}` : `line ${line} ${orLater}`
  return new TerminalError(`${file}, ${where}: bytes that are not ${encoding}, so nothing is imported; ${said}.`)
}
