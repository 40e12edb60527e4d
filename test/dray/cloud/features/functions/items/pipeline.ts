import { changedSince, pipeline, upsert } from 'dray'
import { Item } from '#models/lake.ts'
import { SourceItem } from '#models/shop.ts'

/** With rows that it rejects, or finds something in, and rows that are deleted or say so; events name its keys. */
export const items = pipeline('items', {
  extract: changedSince(SourceItem, { cursor: 'changedAt', zone: 'UTC' }),
  transform: ({ id, name }, row) => {
    if (name === 'bad') return row.reject('name', 'bad')
    if (name === 'erased') return row.delete()
    if (name === 'odd') row.finding('name', 'odd', 'an odd name')
    return { id, name }
  },
  load: upsert(Item, { by: 'id' }),
  deletes: { hard: true, most: 1 },
  quarantine: { share: 1, rows: 1000 },
  entity: 'shop/items',
})
