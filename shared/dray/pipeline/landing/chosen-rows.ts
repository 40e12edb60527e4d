import type { RawBuilder } from 'kysely'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { sourceTable } from '#dray/pipeline/plan/source-table.ts'

/** The conditions on rows of the source that the pipeline is about; none where it is about all of them. */
export async function chosenRows(extract: Extraction): Promise<readonly RawBuilder<unknown>[]> {
  if (extract.filter === null) return []
  return extract.source.database.withConnection(async (connection, adapter) =>
    ownRows(extract, await sourceTable(extract, connection, adapter)),
  )
}
