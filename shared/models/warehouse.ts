import { bigint, database, date, decimal, email, timestamp, varchar } from 'dray'

export const warehouse = database('warehouse')

export class TargetCustomer extends warehouse.table('customer_dim', {
  id: bigint().primaryKey(),
  fullName: varchar(200).notBlank(),
  email: varchar(320).nullable().rule(email()),
  /** E.164, e.g. `+358401234567`. */
  phone: varchar(16).nullable(),
  addressLine: varchar(300).nullable(),
  city: varchar(100).nullable(),
  state: varchar(100).nullable(),
  postalCode: varchar(20).nullable(),
  createdDate: date().nullable(),
}) {}

export class TargetOrder extends warehouse.table('order_fact', {
  orderId: bigint().primaryKey(),
  customerId: bigint(),
  orderDate: date(),
  orderAmount: decimal(12, 2),
  orderStatus: varchar(20).notBlank(),
  etlTimestamp: timestamp().touch(),
}) {}

/** The data mart: what each customer has bought. */
export class CustomerSales extends warehouse.table('customer_sales', {
  customerId: bigint().primaryKey(),
  fullName: varchar(200).nullable(),
  orders: bigint(),
  revenue: decimal(18, 2),
  firstOrder: date(),
  lastOrder: date(),
}) {}
