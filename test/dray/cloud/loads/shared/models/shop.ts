import { bigint, database, text, timestamp, varchar } from 'dray'

export const shop = database('shop')

export class SourceOrder extends shop.source('orders', {
  id: bigint().primaryKey(),
  label: varchar(20),
  createdAt: timestamp(),
  updatedAt: timestamp().nullable(),
}) {}

export class SourcePayment extends shop.source('payments', {
  id: bigint().primaryKey(),
  customerId: bigint(),
  updatedAt: timestamp(),
}) {}

export class SourceEvent extends shop.source('events', {
  id: bigint().primaryKey(),
  label: text(),
}) {}

/** A view. */
export class OrderLine extends shop.source('order_lines', {
  orderId: bigint().primaryKey(),
  line: bigint().primaryKey(),
  product: varchar(20),
}) {}
