import { copyFields, fullLoad, pipeline, upsert } from 'dray'
import { ItemOfName } from '#models/lake.ts'
import { SourceItem } from '#models/shop.ts'

/** Several source rows of one target row, in partitions of their own. */
export const newest = pipeline('newest', {
  extract: fullLoad(SourceItem, { partitionRows: 10 }),
  transform: copyFields(SourceItem, { name: 'name', id: 'id', changedAt: 'changedAt' }),
  load: upsert(ItemOfName, { by: 'name', version: 'changedAt' }),
})
