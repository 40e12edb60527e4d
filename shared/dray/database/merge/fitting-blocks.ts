import type { CopyBlock } from '#dray/block/block.ts'

type Blocks = AsyncIterator<CopyBlock> | Iterator<CopyBlock>

/** Blocks on their way into a table, counted; they end before the first that may not fit. */
export class FittingBlocks {
  rows = 0
  /** A block was held back. */
  refused = false
  readonly #blocks: Blocks
  readonly #fits: (bytes: Buffer) => boolean
  #first: CopyBlock | null = null

  constructor(blocks: AsyncIterable<CopyBlock> | Iterable<CopyBlock>, fits: (bytes: Buffer) => boolean) {
    this.#blocks = Symbol.asyncIterator in blocks ? blocks[Symbol.asyncIterator]() : blocks[Symbol.iterator]()
    this.#fits = fits
  }

  /** Looks at the first block; null when there is none, or when it may not fit. */
  async first(): Promise<CopyBlock | null> {
    const next = await this.#blocks.next()
    if (next.done || !this.#fits(next.value.bytes)) return null
    this.#first = next.value
    return next.value
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (let block = this.#first; block !== null; block = await this.#next()) {
        this.rows += block.rows
        yield block.bytes
      }
    } finally {
      await this.close()
    }
  }

  async #next(): Promise<CopyBlock | null> {
    const next = await this.#blocks.next()
    if (next.done) return null
    this.refused = !this.#fits(next.value.bytes)
    return this.refused ? null : next.value
  }

  async close(): Promise<void> {
    await this.#blocks.return?.()
  }
}
