import { createHash } from 'node:crypto'
import { TerminalError } from '#dray/errors.ts'
import { formats } from '#dray/messages/formats.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Block, StagedHeader } from './staging-store.ts'

const NEWLINE = 10

/** Turns a header and blocks into the bytes of an object and counts what goes into its reference. */
export class StagedBytes {
  readonly #hash = createHash('sha256')
  #rows = 0
  #bytes = 0

  /** The header line, unless it is an array for others to read, then the blocks as they come; none is copied. */
  async *of(
    header: StagedHeader,
    blocks: AsyncIterable<Block> | Iterable<Block>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer> {
    if (header.format !== 'json-array') {
      const line = Buffer.from(`${JSON.stringify({ version: formats.stagedObject, ...header })}\n`)
      this.#hash.update(line)
      yield line
    }
    for await (const block of blocks) {
      signal?.throwIfAborted()
      if (block.bytes.length === 0 && block.rows === 0) continue
      if (block.bytes.at(-1) !== NEWLINE) {
        throw new TerminalError('A block to stage does not end with a row end, so its last row would be cut.')
      }
      this.#hash.update(block.bytes)
      this.#rows += block.rows
      this.#bytes += block.bytes.length
      yield block.bytes
    }
    signal?.throwIfAborted()
  }

  /** The reference, once all bytes have been taken. */
  object(key: string): StagedObject {
    return { key, rows: this.#rows, bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }
}
