import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import type { Text } from '#dray/block/block.ts'
import { encodeLine } from '#dray/block/copy-text.ts'
import { TerminalError } from '#dray/errors.ts'
import type { LoadInput } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { RowOrder, type RowPlace } from '#dray/pipeline/rows/row-order.ts'
import { eachRow, openRows } from '#dray/pipeline/rows/staged-rows.ts'
import { rowTransformer } from '#dray/pipeline/rows/transform-rows.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { hashOfText } from '#dray/pipeline/texts/text-hash.ts'
import type { Services } from '../services.ts'

/**
 * Of a source that does not hold to the key which its model declares: throws `Terminal` for two rows of a partition
 * that have one key, are not the same in the target, and of which nothing says which is the newer one. Rows of a key
 * are in one partition, since partitions are ranges of it.
 */
export async function refuseTwins(pipeline: Pipeline, input: LoadInput, services: Services): Promise<void> {
  const { source } = pipeline.extract
  const { columnNames } = source.definition
  const twins = new Twins(pipeline, startOf(input.run))
  const rows = { pipeline: pipeline.name, stage: 'Extract', object: input.extracted, columns: columnNames } as const
  for await (const block of (await openRows(rows, services, { areBlocksLent: true })).blocks) {
    eachRow(block, (row) => twins.add(row))
  }
  if (twins.first !== null) throw new TwinRows(pipeline, twins.first)
}

/** Looks among source rows for two of one key that differ, and of which nothing says which is the newer one. */
export class Twins {
  readonly #key: readonly ColumnDefinition[]
  readonly #order: RowOrder
  readonly #transform: ReturnType<typeof rowTransformer>
  readonly #newest = new Map<number, { readonly place: RowPlace; readonly line: number }>()
  readonly #found = new Set<string>()

  constructor(pipeline: Pipeline, startedAt: Timestamp) {
    this.#key = pipeline.extract.source.definition.primaryKey
    this.#order = new RowOrder(pipeline)
    this.#transform = rowTransformer(pipeline, startedAt)
  }

  /** The key of the first ones that were found. */
  get first(): string | null {
    return this.keys[0] ?? null
  }

  get keys(): readonly string[] {
    return [...this.#found]
  }

  /** `apart` tells rows of one key from each other that the target keeps apart. */
  add(row: readonly Text[], apart: (texts: readonly Text[]) => readonly Text[] = () => []): void {
    const outcome = this.#transform(row)
    if (outcome.kind !== 'loaded') return
    const key = this.#key.map(({ index }) => row[index] ?? null)
    const one = { place: this.#order.placeOf(row, outcome.texts), line: hashOfText(encodeLine(outcome.texts)) }
    const hash = hashOfText(keyOf([...key, ...apart(outcome.texts)]))
    const known = this.#newest.get(hash)
    const compared = known === undefined ? 1 : this.#order.compare(one.place, known.place)
    if (compared === 0 && known?.line !== one.line) this.#found.add(key.join(', '))
    if (compared >= 0) this.#newest.set(hash, one)
  }
}

/** Two rows have the key that the model declares, and each would take the place of the other. */
class TwinRows extends TerminalError {
  constructor({ name, extract, load }: Pipeline, key: string) {
    const { database, table, primaryKey } = extract.source.definition
    const columns = primaryKey.map(({ column }) => column).join(', ')
    const target = `${load.target.definition.database}.${load.target.definition.table}`
    super(
      `${name}: several rows of ${database}.${table} have the key ${columns} ${key}, by which its model tells rows apart and no index of the source does, and nothing says which of them is the newer one, so one would be lost in ${target}, and nothing of their partition was written; make the key whole (primaryKey() of more fields, or another view), or give the load a version`,
    )
  }
}
