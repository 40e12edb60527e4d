import { bigint, boolean, database, integer, timestamp, varchar } from 'dray'

export const mart = database('mart')

export class Customer extends mart.table('customers', {
  id: bigint().primaryKey(),
  name: varchar(100),
}) {}

export class KnownContact extends mart.table('known_contacts', {
  id: bigint().primaryKey(),
  name: varchar(100),
}) {}

export class Event extends mart.table('events', {
  id: bigint(),
  label: varchar(100),
}) {}

export class PriceVersion extends mart.table('price_versions', {
  product: varchar(20).primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp(),
  isCurrent: boolean(),
  price: integer(),
  revision: integer(),
}) {}
