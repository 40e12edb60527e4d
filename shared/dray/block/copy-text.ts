import type { CopyBlock, Text } from './block.ts'

/**
 * PostgreSQL COPY text: one line a row, tabs between fields, `\N` for NULL, backslash escapes. `LOAD DATA` reads the
 * same bytes with its default clauses, except `\f` and `\v`, which it takes for letters: those two are written raw.
 * https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
 */
const ESCAPED = /[\\\t\n\r]/
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }
const UNESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', b: '\b', f: '\f', v: '\v' }

function escapeField(value: string): string {
  return ESCAPED.test(value) ? value.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] as string) : value
}

/** One row as a line, without the line end. */
export function encodeLine(values: readonly Text[]): string {
  let line = ''
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    if (index > 0) line += '\t'
    line += value === null || value === undefined ? '\\N' : escapeField(value)
  }
  return line
}

/** The text of one field of a line. */
export function unescapeField(field: string): Text {
  if (field === '\\N') return null
  if (!field.includes('\\')) return field
  return field.replace(/\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|[\s\S])/g, (_, sequence: string) => {
    const first = sequence.charCodeAt(0)
    if (first >= 48 && first <= 55) return String.fromCharCode(Number.parseInt(sequence, 8) & 255)
    if (first === 120 && sequence.length > 1) return String.fromCharCode(Number.parseInt(sequence.slice(1), 16))
    return UNESCAPES[sequence] ?? sequence
  })
}

/** The fields of one line (without its line end). */
export function decodeLine(line: string): Text[] {
  const fields: Text[] = line.split('\t')
  if (!line.includes('\\')) return fields
  for (let index = 0; index < fields.length; index++) fields[index] = unescapeField(fields[index] as string)
  return fields
}

/** The lines of a block, without their line ends. */
export function linesOf(block: CopyBlock): string[] {
  const lines = block.bytes.toString('utf8').split('\n')
  lines.pop()
  return lines
}

/** The rows of a block. */
export function decodeBlock(block: CopyBlock): Text[][] {
  return linesOf(block).map(decodeLine)
}

const BLOCK_BYTES = 256 * 1024
/**
 * Lines are written into the block when they are so long together: short enough to be joined in no time, long enough
 * for few calls.
 */
const WRITTEN_CHARACTERS = 2048
/** UTF-8 takes at most three bytes for a UTF-16 code unit. */
const MOST_BYTES = 3

/** Collects rows into blocks of about 256 KiB. */
export class BlockEncoder {
  #text = ''
  #rows = 0
  #bytes: Buffer | null = null
  #length = 0

  /** Adds a row; returns a block when one is full. */
  push(values: readonly Text[]): CopyBlock | null {
    return this.pushLine(encodeLine(values))
  }

  /** Adds a line that is encoded already, without its line end. */
  pushLine(line: string): CopyBlock | null {
    this.#text += `${line}\n`
    this.#rows += 1
    if (this.#text.length < WRITTEN_CHARACTERS) return null
    this.#write()
    return this.#length >= BLOCK_BYTES ? this.flush() : null
  }

  /** What is left, or null when there is nothing. */
  flush(): CopyBlock | null {
    if (this.#rows === 0) return null
    this.#write()
    const block = { bytes: (this.#bytes as Buffer).subarray(0, this.#length), rows: this.#rows }
    this.#bytes = null
    this.#length = 0
    this.#rows = 0
    return block
  }

  #write(): void {
    const needed = this.#length + this.#text.length * MOST_BYTES
    if (this.#bytes === null || this.#bytes.length < needed) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(needed, BLOCK_BYTES + WRITTEN_CHARACTERS * 2 * MOST_BYTES))
      this.#bytes?.copy(bytes, 0, 0, this.#length)
      this.#bytes = bytes
    }
    this.#length += this.#bytes.write(this.#text, this.#length)
    this.#text = ''
  }
}
