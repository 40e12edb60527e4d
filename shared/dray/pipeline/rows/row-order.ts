import { bulkColumns } from '#dray/active-record/bulk.ts'
import { type ColumnDefinition, columnOf } from '#dray/active-record/table-definition.ts'
import { compareTexts } from '#dray/active-record/value-order.ts'
import type { Text } from '#dray/block/block.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { canonicalText } from '#dray/pipeline/texts/canonical.ts'
import { ageNames, ageOfRow, compareAges, haveAges } from './age.ts'

/** What says which of several rows of one key is the newest. */
export interface RowPlace {
  readonly version: Text
  readonly age: string
  readonly key: readonly Text[]
}

/** Whether anything says which of several rows of one key is the newest. */
export function isOrdered({ extract, load }: Pipeline): boolean {
  return haveAges(extract) || load.version !== null
}

/**
 * Makes the check of a row that has another key in the target than in the source: without a cursor it is read in each
 * run, by itself, and would take the place of the newer rows of its key. Null where a version guards those.
 */
export function datedCheck({ name, extract, load }: Pipeline): ((row: readonly Text[]) => void) | null {
  if (load.version !== null) return null
  if (extract.cursor?.lateRows) return () => refuseLate(name, extract, load)
  if (extract.cursor?.nulls !== 'include') return null
  const ageOf = ageOfRow(extract)
  const ages = ageNames(extract)
  return (row) => {
    if (ageOf(row) !== '') return
    const { database, table } = extract.source.definition
    throw new TerminalError(
      `${name}: a row of ${database}.${table} has no ${ages}, and its key in ${load.target.definition.table} (${load.by.join(', ')}) is another one than in the source, so each run would write it over newer rows of that key; nothing of its partition was loaded and last_run stays where it is. Give the load a version, fill ${ages} in, or leave such rows out: nulls: 'exclude', or null from the transform`,
    )
  }
}

function refuseLate(name: string, extract: Pipeline['extract'], load: Pipeline['load']): never {
  const { database, table } = extract.source.definition
  throw new TerminalError(
    `${name}: the key of a row of ${database}.${table} in ${load.target.definition.table} (${load.by.join(', ')}) is another one than in the source, and lateRows reads rows with older stamps, which would be written over newer ones of that key; nothing of its partition was loaded and last_run stays where it is. Give the load a version, or leave lateRows out`,
  )
}

/**
 * The order of source rows that are one row of the target: by the load's version, then by the cursor, then by the
 * source's key. The last one counts.
 */
export class RowOrder {
  readonly #pipeline: Pipeline
  readonly #version: { readonly column: ColumnDefinition; readonly at: number } | null
  readonly #ageOf: (row: readonly Text[]) => string

  constructor(pipeline: Pipeline) {
    const { extract, load } = pipeline
    this.#pipeline = pipeline
    const { definition } = load.target
    const column = load.version === null ? null : columnOf(definition, load.version)
    this.#version = column === null ? null : { column, at: bulkColumns(definition).indexOf(column) }
    this.#ageOf = ageOfRow(extract)
  }

  /** Of a source row, and of what the transform makes of it. */
  placeOf(row: readonly Text[], texts: readonly Text[]): RowPlace {
    const { extract } = this.#pipeline
    return {
      version: this.#version === null ? null : canonicalText(this.#version.column, texts[this.#version.at] ?? null),
      age: this.#ageOf(row),
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
