import { database, replicate } from 'dray'

/** All tables of the shop, as they are. */
export const shopRaw = replicate('shop-raw', {
  from: database('sales'),
  into: database('warehouse'),
  name: ({ name }) => `raw.${name}`,
  cursor: 'updated_at',
})
