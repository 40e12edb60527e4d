import { copyFields, fullLoad, pipeline, replace } from 'dray'
import { ListedItem } from '#models/lake.ts'
import { SourceItem } from '#models/shop.ts'

/** Replaced as a whole. */
export const listed = pipeline('listed', {
  extract: fullLoad(SourceItem),
  transform: copyFields(SourceItem, { id: 'id', name: 'name' }),
  load: replace(ListedItem, { most: 1 }),
})
