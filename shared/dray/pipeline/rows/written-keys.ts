import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { BlockEncoder, decodeBlock } from '#dray/block/copy-text.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import { wholeKey } from './owned-rows.ts'

/** Kinds whose values engines write in several ways: `t` and `\x01`, moments with and without an offset. */
const REWRITTEN: ReadonlySet<FieldKind> = new Set(['boolean', 'timestamp', 'date', 'decimal', 'double'])

/** Keys of the source as the models write them, which is how they came into the target. */
export class WrittenKeys {
  readonly #pairs: readonly (readonly [ColumnDefinition, ColumnDefinition])[]
  readonly #isAny: boolean

  readonly #whole: (key: readonly Text[]) => readonly Text[]
  /** By the target's names. */
  readonly columns: readonly string[]

  constructor(pipeline: Pipeline) {
    const { extract, deletes, load } = pipeline
    const into = columnsOf(load.target.definition, deletes.by)
    this.columns = columnsOf(load.target.definition, load.goneBy).map(({ column }) => column)
    this.#whole = wholeKey(pipeline)
    this.#pairs = columnsOf(extract.source.definition, deletes.key).map((column, place) => [
      column,
      into[place] as ColumnDefinition,
    ])
    const isPart = deletes.by.length < load.goneBy.length
    this.#isAny = isPart || this.#pairs.some(([{ field }]) => REWRITTEN.has(field.settings.kind))
  }

  async *of(blocks: AsyncIterable<Block>): AsyncGenerator<Block> {
    for await (const block of blocks) {
      if (!this.#isAny) {
        yield block
        continue
      }
      const encoder = new BlockEncoder()
      for (const texts of decodeBlock(block)) {
        const full = encoder.push(this.texts(texts))
        if (full !== null) yield full
      }
      const rest = encoder.flush()
      if (rest !== null) yield rest
    }
  }

  texts(texts: readonly Text[]): readonly Text[] {
    return this.#isAny ? this.#whole(texts.map((text, place) => this.#written(text, place))) : texts
  }

  /** A text that is no value of its field stays as it is: its row is in the quarantine. */
  #written(text: Text, place: number): Text {
    const [from, into] = this.#pairs[place] as readonly [ColumnDefinition, ColumnDefinition]
    if (text === null || !REWRITTEN.has(from.field.settings.kind)) return text
    try {
      return into.field.settings.toText(from.field.settings.cast(text))
    } catch (error) {
      if (error instanceof DataQualityError) return text
      throw error
    }
  }
}
