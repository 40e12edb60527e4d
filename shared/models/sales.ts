import { bigint, database, decimal, text, timestamp } from 'dray'

export const sales = database('sales')

export class SourceOrder extends sales.source('orders', {
  id: bigint().primaryKey(),
  customerId: bigint().nullable(),
  orderDate: timestamp().nullable(),
  totalAmount: decimal(12, 2).nullable(),
  status: text().nullable(),
  /** Every change of an order moves it on. */
  lastUpdated: timestamp(),
}) {}
