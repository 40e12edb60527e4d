import { changedSince, copyFields, notNull, pipeline, unique, upsert } from 'dray'
import { Order } from '#models/lake.ts'
import { SourceOrder } from '#models/shop.ts'

/** A first load in parts that spares its source, by the first of two stamps. */
export const orders = pipeline('orders', {
  extract: changedSince(SourceOrder, {
    cursor: ['updatedAt', 'createdAt'],
    firstLoad: { rows: 40 },
    partitionRows: 20,
    maxRowsPerSecond: 1_000,
    maxConnections: 1,
  }),
  transform: copyFields(SourceOrder, { id: 'id', label: 'label' }),
  load: upsert(Order, { by: 'id' }),
  checks: [unique('id'), notNull('label')],
})
