import { changedSince, pipeline, upsert } from 'dray'
import { SourceOrder } from '../../shared/models/prove-source.ts'
import { Order } from '../../shared/models/prove-target.ts'
import { VERSION } from '../../shared/version.ts'

export const orders = pipeline('orders', {
  extract: changedSince(SourceOrder, { cursor: 'changedAt', zone: 'UTC' }),
  transform: ({ id, item, amount }, row) => {
    const isNumber = /^\d+\.\d\d$/.test(amount)
    if (!isNumber && VERSION === 1) return row.reject('amount', 'no_number')
    return { id, item, amount: isNumber ? amount : '0.00', version: VERSION }
  },
  load: upsert(Order, { by: 'id' }),
  quarantine: { share: 1, rows: 1000 },
})
