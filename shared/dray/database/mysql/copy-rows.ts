import type { CopyBlock } from '#dray/block/block.ts'

const BLOCK_BYTES = 256 * 1024
/**
 * The most that a field takes besides twice its bytes: a tab, `\N`, or the three bytes in front of hexadecimal digits.
 */
const FIELD_BYTES = 4

const TAB = 9
const LINE_END = 10
const CARRIAGE_RETURN = 13
const BACKSLASH = 92
const NULL_LENGTH = 251
const DIGITS = Buffer.from('0123456789abcdef')
const ESCAPES = new Uint8Array(256)
for (const [byte, letter] of [
  [TAB, 't'],
  [LINE_END, 'n'],
  [CARRIAGE_RETURN, 'r'],
  [BACKSLASH, '\\'],
] as const) {
  ESCAPES[byte] = letter.charCodeAt(0)
}

/** Writes rows as MySQL sends them into blocks of COPY text, byte by byte: no value is made a string. */
export class CopyRows {
  #bytes = Buffer.alloc(0)
  #length = 0
  #rows = 0

  /**
   * Takes a row; `binary` are the places of values that are written in hexadecimal. Returns a block when one is full.
   */
  row(source: Buffer, from: number, to: number, binary: readonly number[]): CopyBlock | null {
    let at = from
    for (let column = 0; at < to; column++) {
      const tag = source[at] as number
      const start = tag <= NULL_LENGTH ? at + 1 : at + 1 + (tag === 252 ? 2 : tag === 253 ? 3 : 8)
      const end = tag < NULL_LENGTH ? start + tag : tag === NULL_LENGTH ? start : start + lengthAt(source, at)
      this.#reserve(2 * (end - start) + FIELD_BYTES)
      if (column > 0) this.#write(TAB)
      if (tag === NULL_LENGTH) {
        this.#write(BACKSLASH)
        this.#write(78)
      } else if (binary.includes(column)) this.#hexadecimal(source, start, end)
      else this.#text(source, start, end)
      at = end
    }
    this.#reserve(1)
    this.#write(LINE_END)
    this.#rows += 1
    return this.#length >= BLOCK_BYTES ? this.rest() : null
  }

  /** What is left, or null when there is nothing. */
  rest(): CopyBlock | null {
    if (this.#rows === 0) return null
    const block = { bytes: this.#bytes.subarray(0, this.#length), rows: this.#rows }
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
    this.#rows = 0
    return block
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES + 16 * 1024, 2 * (this.#length + bytes)))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }

  #write(byte: number): void {
    this.#bytes[this.#length++] = byte
  }

  #text(source: Buffer, from: number, to: number): void {
    const bytes = this.#bytes
    let length = this.#length
    for (let at = from; at < to; at++) {
      const byte = source[at] as number
      const letter = ESCAPES[byte] as number
      if (letter === 0) bytes[length++] = byte
      else {
        bytes[length++] = BACKSLASH
        bytes[length++] = letter
      }
    }
    this.#length = length
  }

  #hexadecimal(source: Buffer, from: number, to: number): void {
    this.#write(BACKSLASH)
    this.#write(BACKSLASH)
    this.#write(120)
    for (let at = from; at < to; at++) {
      const byte = source[at] as number
      this.#write(DIGITS[byte >> 4] as number)
      this.#write(DIGITS[byte & 15] as number)
    }
  }
}

/** A length of more than one byte: two, three or eight follow the tag. */
function lengthAt(source: Buffer, at: number): number {
  const tag = source[at]
  if (tag === 252) return source.readUInt16LE(at + 1)
  if (tag === 253) return source.readUIntLE(at + 1, 3)
  return Number(source.readBigUInt64LE(at + 1))
}
