import { changedSince, dateOfTimestamp, pipeline, upsert } from 'dray'
import { cleanText } from 'dray/cleaning'
import { SourceOrder } from '#models/sales.ts'
import { TargetOrder } from '#models/warehouse.ts'

/** Orders that changed since the last run. */
export const orders = pipeline('orders', {
  extract: changedSince(SourceOrder, { cursor: 'lastUpdated' }),
  transform: (order, row) => {
    const { customerId, orderDate, totalAmount } = order
    if (customerId === null) return row.reject('customerId', 'missing', 'an order needs a customer')
    if (orderDate === null) return row.reject('orderDate', 'missing', 'an order needs a date')
    if (totalAmount === null) return row.reject('totalAmount', 'missing', 'an order needs an amount')
    return {
      orderId: order.id,
      customerId,
      orderDate: dateOfTimestamp(orderDate),
      orderAmount: totalAmount,
      orderStatus: cleanText(order.status)?.toLowerCase() ?? 'unknown',
      etlTimestamp: row.runStartedAt,
    }
  },
  load: upsert(TargetOrder, { by: 'orderId' }),
})
