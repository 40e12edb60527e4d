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
  const { primaryKey, columnNames } = source.definition
  const order = new RowOrder(pipeline)
  const transformRow = rowTransformer(pipeline, startOf(input.run))
  const newest = new Map<number, { readonly place: RowPlace; readonly line: number }>()
  let twin: string | null = null
  const rows = { pipeline: pipeline.name, stage: 'Extract', object: input.extracted, columns: columnNames } as const
  for await (const block of (await openRows(rows, services, { areBlocksLent: true })).blocks) {
    eachRow(block, (row) => {
      const outcome = transformRow(row)
      if (outcome.kind !== 'loaded') return
      const key = primaryKey.map(({ index }) => row[index] ?? null)
      const one = { place: order.placeOf(row, outcome.texts), line: hashOfText(encodeLine(outcome.texts)) }
      const hash = hashOfText(keyOf(key))
      const known = newest.get(hash)
      const compared = known === undefined ? 1 : order.compare(one.place, known.place)
      if (compared === 0 && known?.line !== one.line) twin ??= key.join(', ')
      if (compared >= 0) newest.set(hash, one)
    })
  }
  if (twin !== null) throw new TwinRows(pipeline, twin)
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
