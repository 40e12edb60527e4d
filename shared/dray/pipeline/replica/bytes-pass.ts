import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { LiveColumn } from '#dray/database/adapter.ts'
import { mappingOf } from '#dray/pipeline/declare/copy-fields.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'

/**
 * Whether the rows of a table may go into the target as they were read: two columns of one engine that are alike in
 * name and type hold the same values, so that nothing has to be taken apart. Where columns hold anything, each row is
 * looked at.
 */
export async function bytesPass({ extract, transform, load }: Pipeline, schema: PlannedSchema): Promise<boolean> {
  const [from, into] = [await extract.source.database.adapter(), await load.target.database.adapter()]
  if (from.schema !== into.schema || from.schema.liveTypes === null) return false
  const mapping = mappingOf(transform)
  const written = bulkColumns(load.target.definition)
  const { columns } = extract.source.definition
  if (mapping === null || written.length !== columns.length) return false
  const typeIn = (live: readonly LiveColumn[], column: string) => live.find(({ name }) => name === column)?.type
  return written.every(({ name, column }, place) => {
    const source = columns[place]
    const type = typeIn(schema.source, column)
    return (
      source?.name === mapping[name] &&
      source?.column === column &&
      type !== undefined &&
      type === typeIn(schema.target, column)
    )
  })
}
