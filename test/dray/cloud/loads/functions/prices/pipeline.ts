import { changedSince, history, pipeline } from 'dray'
import { PriceChange } from '#models/crm.ts'
import { PriceVersion } from '#models/mart.ts'

/** A history by the time of the source. */
export const prices = pipeline('prices', {
  extract: changedSince(PriceChange, { cursor: 'updatedAt' }),
  transform: ({ product, price, revision, validFrom }) => ({ product, price, revision, validFrom }),
  load: history(PriceVersion, {
    by: 'product',
    validFrom: 'validFrom',
    validTo: 'validTo',
    current: 'isCurrent',
    time: 'source',
    open: '9999-12-31',
    version: 'revision',
  }),
})
