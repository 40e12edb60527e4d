import { copyFields, fullLoad, pipeline, upsert } from 'dray'
import { KeptItem } from '#models/lake.ts'
import { SourceItem } from '#models/shop.ts'

/** Rows that are gone are marked. */
export const kept = pipeline('kept', {
  extract: fullLoad(SourceItem, { partitionRows: 10 }),
  transform: copyFields(SourceItem, { id: 'id', name: 'name' }),
  load: upsert(KeptItem, { by: 'id' }),
  deletes: { soft: 'deletedAt', most: 1 },
})
