import { bigint, database, integer, text, timestamp, varchar } from 'dray'

export const crm = database('crm')

export class SourceCustomer extends crm.source('customers', {
  id: bigint().primaryKey(),
  name: text(),
  updatedAt: timestamp(),
  seenAt: timestamp().nullable(),
  deletedAt: timestamp().nullable(),
}) {}

export class SourceContact extends crm.source('contacts', {
  id: bigint().primaryKey(),
  name: text(),
  status: text(),
  note: text().nullable(),
  updatedAt: timestamp(),
}) {}

export class SourceReading extends crm.source('readings', {
  id: bigint().primaryKey(),
  value: integer(),
  measuredAt: timestamp(),
}) {}

export class PriceChange extends crm.source('price_changes', {
  id: bigint().primaryKey(),
  product: varchar(20),
  price: integer(),
  revision: integer(),
  validFrom: timestamp(),
  updatedAt: timestamp(),
}) {}
