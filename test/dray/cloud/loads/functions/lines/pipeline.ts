import { fullLoad, pipeline, upsert } from 'dray'
import { Line } from '#models/lake.ts'
import { OrderLine } from '#models/shop.ts'

/** A view, whose key the model declares, into a table with rows of others. */
export const lines = pipeline('lines', {
  extract: fullLoad(OrderLine, { partitionRows: 2 }),
  transform: (line) => ({ origin: 'shop', ...line }),
  load: upsert(Line, { by: ['origin', 'orderId', 'line'] }),
  deletes: { hard: true, most: 1, where: { origin: 'shop' } },
})
