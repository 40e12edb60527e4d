import { bigint, database, text, timestamp } from 'dray'

export const shop = database('shop')

export class SourceItem extends shop.source('items', {
  id: bigint().primaryKey(),
  name: text(),
  note: text().nullable(),
  changedAt: timestamp(),
}) {}

export class SourceReading extends shop.source('readings', {
  id: bigint().primaryKey(),
}) {}
