import { bigint, database, integer, varchar } from 'dray'

export const target = database('prove-target')

/** With the version of the code that has loaded it. */
export class Order extends target.table('orders', {
  id: bigint().primaryKey(),
  item: varchar(100),
  amount: varchar(20),
  version: integer(),
}) {}
