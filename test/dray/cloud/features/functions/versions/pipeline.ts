import { copyFields, fullLoad, history, pipeline } from 'dray'
import { ItemVersion } from '#models/lake.ts'
import { SourceItem } from '#models/shop.ts'

/** Every version is kept; that of a row that is gone is closed. */
export const versions = pipeline('versions', {
  extract: fullLoad(SourceItem),
  transform: copyFields(SourceItem, { id: 'id', name: 'name' }),
  load: history(ItemVersion, { by: 'id', validFrom: 'validFrom', validTo: 'validTo', current: 'isCurrent' }),
  deletes: { close: true, most: 1 },
})
