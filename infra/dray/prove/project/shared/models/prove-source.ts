import { bigint, database, text, timestamp } from 'dray'

export const source = database('prove-source')

/** An amount that is no number is what goes wrong. */
export class SourceOrder extends source.source('orders', {
  id: bigint().primaryKey(),
  item: text(),
  amount: text(),
  changedAt: timestamp(),
}) {}
