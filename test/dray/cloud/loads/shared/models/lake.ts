import { bigint, database, integer, text, timestamp, varchar } from 'dray'

export const lake = database('lake')

export class Order extends lake.table('orders', {
  id: bigint().primaryKey(),
  label: text(),
}) {}

/** Refers to customers that another one writes. */
export class Payment extends lake.table('payments', {
  id: bigint().primaryKey(),
  customerId: bigint(),
}) {}

export class FirstContact extends lake.table('first_contacts', {
  id: bigint().primaryKey(),
  name: text(),
}) {}

export class Reading extends lake.table('readings', {
  id: bigint().primaryKey(),
  value: integer(),
  measuredAt: timestamp(),
}) {}

/** Has lines of others, too. */
export class Line extends lake.table('lines', {
  origin: varchar(10).primaryKey(),
  orderId: bigint().primaryKey(),
  line: bigint().primaryKey(),
  product: text(),
}) {}
