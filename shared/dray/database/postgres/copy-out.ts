import type { Connection, Submittable } from 'pg'
import type { CopyBlock } from '#dray/block/block.ts'
import { RowTooLarge } from '../row-too-large.ts'
import { CopyFrames, type TakeRows } from './copy-frames.ts'

const BLOCK_BYTES = 256 * 1024
const QUEUED_BLOCKS = 2

/** What a row may have, and the database of which it is said. */
interface MostBytes {
  readonly bytes: number
  readonly database: string
}

/**
 * `COPY … TO STDOUT`, cut into blocks of whole rows, which are counted without looking into them. At most two blocks
 * wait; then the socket is paused.
 */
export class CopyOut implements Submittable {
  readonly #text: string
  readonly #most: MostBytes | undefined
  readonly #blocks: CopyBlock[] = []
  /** What came since the last block. */
  #pieces: Buffer[] = []
  #length = 0
  #rows = 0
  #ended = false
  #error: Error | null = null
  /** A row was too large: what comes is thrown away. */
  #refusal: RowTooLarge | null = null
  #discard = false
  #wire: Connection | null = null
  #wake: (() => void) | null = null

  constructor(text: string, most?: MostBytes) {
    this.#text = text
    this.#most = most
  }

  /** The next block, or null after the last. Throws what the server answered. */
  async next(): Promise<CopyBlock | null> {
    while (this.#blocks.length === 0 && !this.#ended && this.#refusal === null) {
      this.#wire?.stream.resume()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const block = this.#blocks.shift()
    if (block !== undefined) return block
    if (this.#refusal !== null) throw this.#refusal
    if (this.#error !== null) throw this.#error
    return null
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Throws away what still comes; returns when the server has answered, whatever it says. */
  async drain(): Promise<void> {
    this.#discard = true
    this.#refusal = null
    this.#blocks.length = 0
    await this.next().catch(() => {})
  }

  submit(wire: Connection): void {
    this.#wire = wire
    const take: TakeRows = (bytes, whole, rows) => this.#take(bytes, whole, rows)
    new CopyFrames(wire.stream, take, this.#most?.bytes, () => this.#refuse())
    wire.query(this.#text)
  }

  #refuse(): void {
    if (this.#discard || this.#most === undefined) return
    this.#discard = true
    this.#refusal = new RowTooLarge(this.#most.database, this.#most.bytes)
    this.#pieces = []
    this.#wake?.()
  }

  #take(bytes: Buffer, whole: number, rows: number): void {
    if (this.#discard) return
    this.#rows += rows
    if (this.#length + whole < BLOCK_BYTES || whole === 0) {
      this.#pieces.push(bytes)
      this.#length += bytes.length
      return
    }
    this.#pieces.push(bytes.subarray(0, whole))
    this.#cut()
    this.#pieces.push(bytes.subarray(whole))
    this.#length = bytes.length - whole
  }

  handleCommandComplete(): void {
    if (!this.#discard) this.#cut()
  }

  handleError(error: Error): void {
    this.#error ??= error
    this.#end()
  }

  handleReadyForQuery(): void {
    this.#end()
  }

  #end(): void {
    this.#ended = true
    this.#wire?.stream.resume()
    this.#wake?.()
  }

  #cut(): void {
    if (this.#rows > 0) {
      this.#blocks.push({ bytes: rawControls(Buffer.concat(this.#pieces)), rows: this.#rows })
      this.#wake?.()
      if (this.#blocks.length >= QUEUED_BLOCKS) this.#wire?.stream.pause()
    }
    this.#pieces = []
    this.#length = 0
    this.#rows = 0
  }
}

const BACKSLASH = 92
const RAW: Readonly<Record<number, number>> = { 98: 8, 102: 12, 118: 11 }

/**
 * Writes `\b`, `\f` and `\v` as the characters themselves, as `copy-text.ts` does; a block without them is passed on.
 */
export function rawControls(bytes: Buffer): Buffer {
  let to = -1
  let copied = 0
  for (let at = bytes.indexOf(BACKSLASH); at >= 0; at = bytes.indexOf(BACKSLASH, at + 2)) {
    const raw = RAW[bytes[at + 1] as number]
    if (raw === undefined) continue
    // What stands between two of them moves up behind the first.
    to = to < 0 ? at : bytes.copy(bytes, to, copied, at) + to
    bytes[to] = raw
    to += 1
    copied = at + 2
  }
  return to < 0 ? bytes : bytes.subarray(0, to + bytes.copy(bytes, to, copied))
}
