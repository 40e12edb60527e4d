import type { Connection, Submittable } from 'pg'
import type { CopyBlock } from '../../adapter.ts'

const BLOCK_BYTES = 256 * 1024
const QUEUED_BLOCKS = 2

/**
 * `COPY … TO STDOUT`, cut into blocks of whole rows: the server sends each row as one message, so rows are counted
 * without looking into them. At most two blocks wait; then the socket is paused.
 */
export class CopyOut implements Submittable {
  readonly #text: string
  readonly #blocks: CopyBlock[] = []
  #block = Buffer.allocUnsafe(BLOCK_BYTES)
  #length = 0
  #rows = 0
  #ended = false
  #error: Error | null = null
  #discard = false
  #wire: Connection | null = null
  #wake: (() => void) | null = null

  constructor(text: string) {
    this.#text = text
  }

  /** The next block, or null after the last. Throws what the server answered. */
  async next(): Promise<CopyBlock | null> {
    while (this.#blocks.length === 0 && !this.#ended) {
      this.#wire?.stream.resume()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const block = this.#blocks.shift()
    if (block !== undefined) return block
    if (this.#error !== null) throw this.#error
    return null
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Throws away what still comes; returns when the server has answered, whatever it says. */
  async drain(): Promise<void> {
    this.#discard = true
    this.#blocks.length = 0
    await this.next().catch(() => {})
  }

  submit(wire: Connection): void {
    this.#wire = wire
    wire.query(this.#text)
  }

  /** Called by `pg` for each row. */
  handleCopyData(message: { readonly chunk: Buffer }): void {
    if (this.#discard) return
    const { chunk } = message
    if (this.#length + chunk.length > this.#block.length) this.#cut(chunk.length)
    chunk.copy(this.#block, this.#length)
    this.#length += chunk.length
    this.#rows += 1
  }

  handleCommandComplete(): void {
    if (!this.#discard) this.#cut(0)
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

  #cut(needed: number): void {
    if (this.#rows > 0) {
      this.#blocks.push({ bytes: rawControls(this.#block.subarray(0, this.#length)), rows: this.#rows })
      this.#wake?.()
      if (this.#blocks.length >= QUEUED_BLOCKS) this.#wire?.stream.pause()
    }
    if (this.#rows > 0 || needed > this.#block.length) this.#block = Buffer.allocUnsafe(Math.max(BLOCK_BYTES, needed))
    this.#length = 0
    this.#rows = 0
  }
}

const RAW: Readonly<Record<number, number>> = { 98: 8, 102: 12, 118: 11 }

/** Writes `\b`, `\f` and `\v` as the characters themselves, as `copy-text.ts` does; a block without them is passed on. */
export function rawControls(bytes: Buffer): Buffer {
  if (!bytes.includes('\\f') && !bytes.includes('\\v') && !bytes.includes('\\b')) return bytes
  let to = 0
  for (let from = 0; from < bytes.length; from++, to++) {
    const byte = bytes[from] as number
    bytes[to] = byte
    if (byte !== 92) continue
    const raw = RAW[bytes[from + 1] as number]
    from += 1
    if (raw === undefined) {
      to += 1
      bytes[to] = bytes[from] as number
    } else bytes[to] = raw
  }
  return bytes.subarray(0, to)
}
