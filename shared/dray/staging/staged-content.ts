import { createHash, type Hash } from 'node:crypto'
import { StagedObjectDamaged } from '#dray/errors.ts'
import { checkFormat } from '#dray/messages/formats.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Block, StagedContent, StagedHeader } from './staging-store.ts'

const NEWLINE = 10
const BRACKET = 91
const BLOCK_BYTES = 192 * 1024
const HEADER_LIMIT_BYTES = 4 * 1024 * 1024
const FORMATS: readonly unknown[] = ['copy-text', 'json', 'json-lines'] satisfies StagedHeader['format'][]

const NEWLINES = 0x0a0a0a0a
const SEVEN_BITS = 0x7f7f7f7f

/** How many row ends the bytes hold: four bytes at a time, of which a newline leaves the highest bit. */
function countRows(bytes: Buffer): number {
  if (bytes.length < 4) return countBytes(bytes, 0, bytes.length)
  const words = -bytes.byteOffset & 3
  let rows = countBytes(bytes, 0, words)
  const length = (bytes.length - words) >> 2
  const four = new Int32Array(bytes.buffer, bytes.byteOffset + words, length)
  for (let index = 0; index < length; index++) {
    const other = (four[index] as number) ^ NEWLINES
    let found = ~(((other & SEVEN_BITS) + SEVEN_BITS) | other | SEVEN_BITS)
    for (; found !== 0; found &= found - 1) rows += 1
  }
  return rows + countBytes(bytes, words + length * 4, bytes.length)
}

function countBytes(bytes: Buffer, from: number, to: number): number {
  let rows = 0
  for (let index = from; index < to; index++) if (bytes[index] === NEWLINE) rows += 1
  return rows
}

function isHeader(value: Readonly<Record<string, unknown>>): value is StagedHeader & typeof value {
  const { format, columns } = value
  if (!FORMATS.includes(format)) return false
  return columns === undefined || (Array.isArray(columns) && columns.every((column) => typeof column === 'string'))
}

/** Null for a line that is no header. Throws `Terminal` for one of a format that is not known yet. */
function parseHeader(line: Buffer, location: string): StagedHeader | null {
  const { version = 1, ...header } = objectIn(line)
  if (typeof version !== 'number') return null
  checkFormat('stagedObject', version, `The staged object ${location}`)
  return isHeader(header) ? header : null
}

function objectIn(line: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** What may be done with the memory of chunks. */
export interface ChunkMemory {
  /** Bytes before each chunk that are free: the start of a row is put there instead of copying the chunk behind it. */
  readonly room: number
  /** A chunk is overwritten when the next but one is asked for. */
  readonly isUsedAgain: boolean
}

/** The chunks of one object on the way to its reader. */
class StagedReader {
  readonly #chunks: AsyncIterator<Buffer>
  /** Null when only the key is known. */
  readonly #object: StagedObject | null
  readonly #location: string
  readonly #memory: ChunkMemory
  readonly #hash: Hash = createHash('sha256')
  #pending: Buffer[] = []
  #pendingBytes = 0
  #rows = 0
  #bytes = 0

  constructor(
    chunks: AsyncIterator<Buffer>,
    object: StagedObject | null,
    { location, memory }: { readonly location: string; readonly memory: ChunkMemory },
  ) {
    this.#chunks = chunks
    this.#object = object
    this.#location = location
    this.#memory = memory
  }

  async header(): Promise<StagedHeader> {
    try {
      return await this.#header()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async #header(): Promise<StagedHeader> {
    while (this.#pendingBytes <= HEADER_LIMIT_BYTES) {
      const next = await this.#chunks.next()
      if (next.done) break
      this.#hash.update(next.value)
      this.#keep(this.#own(next.value))
      if (!next.value.includes(NEWLINE)) continue
      const start = this.#take()
      if (start[0] === BRACKET) {
        this.#keep(start)
        this.#bytes = start.length
        return { format: 'json-array' }
      }
      const end = start.indexOf(NEWLINE) + 1
      const header = parseHeader(start.subarray(0, end), this.#location)
      if (header === null) break
      this.#keep(start.subarray(end))
      this.#bytes = start.length - end
      return header
    }
    throw new StagedObjectDamaged(this.#location, 'its first line is not a header')
  }

  async *blocks(): AsyncGenerator<Block> {
    try {
      let wanted = BLOCK_BYTES
      for (;;) {
        this.#refuseExcess()
        while (this.#pendingBytes >= wanted) {
          const block = this.#cut()
          // A row longer than a block: wait for twice as much, so that long rows are joined in linear time.
          if (block === null) wanted = this.#pendingBytes * 2
          else {
            wanted = BLOCK_BYTES
            yield block
          }
        }
        const next = await this.#chunks.next()
        if (next.done) break
        this.#hash.update(next.value)
        this.#bytes += next.value.length
        this.#keep(this.#pendingBytes + next.value.length < wanted ? this.#own(next.value) : next.value)
      }
      const last = this.#cut()
      if (last !== null) yield last
      this.#compare()
    } finally {
      await this.close()
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  #keep(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
  }

  /** Bytes that stay as they are while the next chunks are read. */
  #own(bytes: Buffer): Buffer {
    const { room, isUsedAgain } = this.#memory
    if (!isUsedAgain) return bytes
    const own = Buffer.allocUnsafeSlow(room + bytes.length).subarray(room)
    bytes.copy(own)
    return own
  }

  #take(): Buffer {
    const pending = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    const [first, second] = pending
    if (first !== undefined && pending.length === 1) return first
    if (first === undefined || second === undefined || pending.length > 2 || first.length > this.#memory.room) {
      return Buffer.concat(pending)
    }
    const joined = Buffer.from(second.buffer, second.byteOffset - first.length, first.length + second.length)
    first.copy(joined)
    return joined
  }

  /** The whole rows of what is pending, or null when there is not one. */
  #cut(): Block | null {
    const bytes = this.#take()
    const end = bytes.lastIndexOf(NEWLINE) + 1
    this.#keep(end === 0 ? this.#own(bytes) : bytes.subarray(end))
    if (end === 0) return null
    const block = bytes.subarray(0, end)
    const rows = countRows(block)
    this.#rows += rows
    return { bytes: block, rows }
  }

  #refuseExcess(): void {
    if (this.#object === null || this.#bytes <= this.#object.bytes) return
    throw new StagedObjectDamaged(
      this.#location,
      `it holds more than the ${this.#object.bytes} bytes that were written`,
    )
  }

  #compare(): void {
    const differences = this.#object === null ? [] : this.#differencesFrom(this.#object)
    if (this.#pendingBytes > 0) differences.push('its last row is cut')
    if (differences.length > 0) throw new StagedObjectDamaged(this.#location, differences.join(', '))
  }

  #differencesFrom(object: StagedObject): string[] {
    const sha256 = this.#hash.digest('hex')
    const differences: string[] = []
    if (this.#bytes !== object.bytes) {
      differences.push(`it holds ${this.#bytes} bytes where ${object.bytes} were written`)
    }
    if (this.#rows !== object.rows) differences.push(`it holds ${this.#rows} rows where ${object.rows} were written`)
    if (sha256 !== object.sha256) differences.push('its SHA-256 differs')
    return differences
  }
}

/**
 * Reads the header and prepares the blocks of an object that arrives in chunks of any size.
 * Whatever leaves the blocks early returns the chunks' iterator.
 */
export async function openStaged(
  chunks: AsyncIterable<Buffer>,
  object: StagedObject | null,
  location: string,
  memory: ChunkMemory = { room: 0, isUsedAgain: false },
): Promise<StagedContent> {
  const reader = new StagedReader(chunks[Symbol.asyncIterator](), object, { location, memory })
  const header = await reader.header()
  return { header, blocks: reader.blocks() }
}
