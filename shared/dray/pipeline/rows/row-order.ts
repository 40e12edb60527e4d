import { bulkColumns } from '#dray/active-record/bulk.ts'
import { type ColumnDefinition, columnOf } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { canonicalText, compareTexts } from '#dray/pipeline/texts/canonical.ts'
import { ageColumn, ageOf, compareAges } from './age.ts'

/** What says which of several rows of one key is the newest. */
export interface RowPlace {
  readonly version: Text
  readonly age: string
  readonly key: readonly Text[]
}

/** Whether anything says which of several rows of one key is the newest. */
export function isOrdered({ extract, load }: Pipeline): boolean {
  return extract.cursor !== null || load.version !== null
}

/**
 * The order of source rows that are one row of the target: by the load's version, then by the cursor, then by the
 * source's key. The last one counts.
 */
export class RowOrder {
  readonly #pipeline: Pipeline
  readonly #version: { readonly column: ColumnDefinition; readonly at: number } | null
  readonly #age: number | null

  constructor(pipeline: Pipeline) {
    const { extract, load } = pipeline
    this.#pipeline = pipeline
    const { definition } = load.target
    const column = load.version === null ? null : columnOf(definition, load.version)
    this.#version = column === null ? null : { column, at: bulkColumns(definition).indexOf(column) }
    this.#age = ageColumn(extract)?.index ?? null
  }

  /** Of a source row, and of what the transform makes of it. */
  placeOf(row: readonly Text[], texts: readonly Text[]): RowPlace {
    const { extract } = this.#pipeline
    return {
      version: this.#version === null ? null : canonicalText(this.#version.column, texts[this.#version.at] ?? null),
      age: this.#age === null ? '' : ageOf(extract, row[this.#age] ?? null),
      key: extract.source.definition.primaryKey.map((column) => canonicalText(column, row[column.index] ?? null)),
    }
  }

  /** Positive where the first of them is the newer one. */
  compare(one: RowPlace, other: RowPlace): number {
    const byVersion = this.#version === null ? 0 : compareNullable(this.#version.column, one.version, other.version)
    if (byVersion !== 0) return byVersion
    const byAge = compareAges(one.age, other.age)
    if (byAge !== 0) return byAge
    for (const [place, column] of this.#pipeline.extract.source.definition.primaryKey.entries()) {
      const byKey = compareNullable(column, one.key[place] ?? null, other.key[place] ?? null)
      if (byKey !== 0) return byKey
    }
    return 0
  }
}

/** What is not known is the oldest. */
function compareNullable(column: ColumnDefinition, one: Text, other: Text): number {
  if (one === null || other === null) return Number(one !== null) - Number(other !== null)
  return compareTexts(column, one, other)
}
