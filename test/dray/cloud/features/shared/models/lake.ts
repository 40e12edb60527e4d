import { bigint, boolean, database, text, timestamp, varchar } from 'dray'

export const lake = database('lake')

export class KeptItem extends lake.table('kept_items', {
  id: bigint().primaryKey(),
  name: text(),
  deletedAt: timestamp().nullable(),
}) {}

export class Item extends lake.table('items', {
  id: bigint().primaryKey(),
  name: text().notBlank(),
}) {}

export class ListedItem extends lake.table('listed_items', {
  id: bigint().primaryKey(),
  name: text(),
}) {}

export class ItemVersion extends lake.table('item_versions', {
  id: bigint().primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
  isCurrent: boolean(),
  name: text(),
}) {}

export class LoggedItem extends lake.table('logged_items', {
  id: bigint(),
  note: text().nullable(),
}) {}

export class ItemOfName extends lake.table('items_of_name', {
  name: varchar(100).primaryKey(),
  id: bigint(),
  changedAt: timestamp(),
}) {}

export class Reading extends lake.table('readings', {
  id: bigint().primaryKey(),
}) {}
